"""The Celery app of this service and its tasks: shells over `BatchProcessor` and the three desks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from celery import Celery, current_task, signals
from prometheus_client import multiprocess

from aro.adapters import mongo, redis_client
from aro.adapters.bar_marks import BarMarks
from aro.adapters.bar_store import BarStore
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import SystemClock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.iv_history_store import IvHistoryStore
from aro.adapters.ledger import Ledger
from aro.adapters.live import LivePublisher, LiveReader
from aro.adapters.passed_over_store import PassedOverStore
from aro.adapters.replay_sessions import ReplaySessions
from aro.adapters.surface_store import SurfaceStore
from aro.adapters.tick_store import TickStore
from aro.adapters.turns import Turns
from aro.contracts.names import (
    BATCH_TURN,
    QUEUE_ENRICH,
    QUEUE_PERIODIC,
    QUEUE_REPLAY,
    TASK_BARS,
    TASK_CATCH_UP,
    TASK_ENRICH,
    TASK_IV_HISTORY,
    TASK_REPLAY,
    TASK_STATUS,
    TASK_STORE_RAW,
    TASK_SURFACE,
)
from aro.runtime import tracing
from aro.runtime.vitals import reporter
from worker_enricher import schedule
from worker_enricher.bar_desk import BarDesk
from worker_enricher.batch import BatchProcessor
from worker_enricher.measures import PipelineMeasures
from worker_enricher.owed_bars import OwedBars
from worker_enricher.passed_over import CatchUpDesk, PassedOverKeeper
from worker_enricher.replays import Interruptions, ReplayProcessor
from worker_enricher.settings import WorkerSettings
from worker_enricher.status import StatusDesk
from worker_enricher.surfaces import SurfaceDesk
from worker_enricher.task_times import observe_tasks

STORE_SECONDS: Final = 3.0
STORE_SELECTION_SECONDS: Final = 0.5
"""A MongoDB that is away must cost the live path half a second, not more."""
REDIS_SECONDS: Final = 3.0


@dataclass(frozen=True)
class Hands:
    """What a child process holds after its fork; connections must not be older than that."""

    processor: BatchProcessor
    turns: Turns
    status: StatusDesk
    surfaces: SurfaceDesk
    bars: BarDesk
    keeper: PassedOverKeeper
    catch_up: CatchUpDesk
    interruptions: Interruptions
    replays: ReplayProcessor


def open_hands(settings: WorkerSettings) -> Hands:
    client = redis_client.connect(settings.redis_url, timeout=REDIS_SECONDS)
    database = mongo.connect(
        settings.mongo_url,
        settings.mongo_database,
        timeout=STORE_SECONDS,
        selection_timeout=STORE_SELECTION_SECONDS,
    )
    ledger, dead, publisher, reader = Ledger(client), DeadLetters(client), LivePublisher(client), LiveReader(client)
    chains, ticks, marks, clock = ChainStore(database), TickStore(database), BarMarks(client), SystemClock()
    consumer = settings.consumer_name or "worker"
    processor = BatchProcessor(ledger, dead, chains, ticks, publisher, OwedBars(marks, clock), clock, consumer=consumer)
    surfaces = SurfaceDesk(reader, publisher, IvHistoryStore(database), SurfaceStore(database), clock)
    bars = BarDesk(reader, publisher, chains, ticks, BarStore(database), marks, clock)
    status = StatusDesk(client, publisher, clock, stale_after_ms=settings.stale_after_ms)
    passed_over = PassedOverStore(database)
    keeper = PassedOverKeeper(ledger, dead, passed_over, consumer=consumer)
    catch_up = CatchUpDesk(client, ledger, passed_over, processor, clock)
    interruptions = Interruptions(ReplaySessions(client), publisher, clock)
    replays = ReplayProcessor(client, publisher, clock)
    return Hands(processor, Turns(client), status, surfaces, bars, keeper, catch_up, interruptions, replays)


def create_app(settings: WorkerSettings) -> Celery:
    """The app of `schedule` with the tasks behind the names."""
    app = schedule.create_app(settings)
    hands: list[Hands] = []

    def open_after_fork(**_: Any) -> None:
        tracing.start("worker-enricher-work", settings.otlp_endpoint)
        hands[:] = [open_hands(settings)]
        reporter(settings.redis_url, "worker-enricher-work", PipelineMeasures()).start()

    def enrich(batch: dict[str, Sequence[str]]) -> None:
        turn = batch.pop(BATCH_TURN, None)
        entries = sum(map(len, batch.values()))
        try:
            with tracing.span("enrich batch", kind="consumer", carrier=_sender(), entries=entries):
                hands[0].processor.process(batch)
        finally:
            if turn is not None:
                hands[0].turns.done(*turn)

    def pass_over(batch: dict[str, Sequence[str]]) -> None:
        entries = sum(map(len, batch.values()))
        with tracing.span("store raw batch", kind="consumer", carrier=_sender(), entries=entries):
            hands[0].keeper.keep(batch)

    def replay(ids: Sequence[str]) -> None:
        hands[0].replays.process(ids)

    app.task(enrich, name=TASK_ENRICH, queue=QUEUE_ENRICH)
    app.task(pass_over, name=TASK_STORE_RAW, queue=QUEUE_ENRICH)
    app.task(replay, name=TASK_REPLAY, queue=QUEUE_REPLAY)
    _add_periodic(app, hands)
    observe_tasks()
    signals.worker_process_init.connect(open_after_fork, weak=False)
    signals.worker_process_shutdown.connect(_forget_metrics, weak=False)
    signals.worker_process_shutdown.connect(_send_last_spans, weak=False)
    return app


def _add_periodic(app: Celery, hands: list[Hands]) -> None:
    def catch_up() -> None:
        hands[0].catch_up.run()

    def status() -> None:
        hands[0].status.publish()
        hands[0].interruptions.publish()

    def surface() -> None:
        hands[0].surfaces.publish()

    def iv_history() -> None:
        hands[0].surfaces.record()

    def bars() -> None:
        hands[0].bars.run()

    periodic = {
        TASK_STATUS: status,
        TASK_SURFACE: surface,
        TASK_BARS: bars,
        TASK_IV_HISTORY: iv_history,
        TASK_CATCH_UP: catch_up,
    }
    for name, task in periodic.items():
        app.task(task, name=name, queue=QUEUE_PERIODIC)


def _sender() -> dict[str, str]:
    """What the process that sent the present task says of its trace."""
    return {"traceparent": current_task.request.get("traceparent") or ""}


def _send_last_spans(**_: Any) -> None:
    """Children of the pool end without their exit handlers."""
    tracing.stop()


def _forget_metrics(pid: int, **_: Any) -> None:
    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
