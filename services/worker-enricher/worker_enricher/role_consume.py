"""Role ``consume``. It loads no maths and no MongoDB: it only hands ids on."""

import signal
import socket
import threading
from collections.abc import Sequence

from aro.adapters import redis_client
from aro.adapters.clock import SystemClock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.adapters.replay_sessions import ReplayLedger, ReplaySessions
from aro.adapters.turns import Turns
from aro.contracts.names import LEDGER_STREAMS, QUEUE_ENRICH, QUEUE_REPLAY, TASK_REPLAY
from aro.runtime import tracing
from aro.runtime.health import Health
from aro.runtime.logs import get_logger
from aro.runtime.operations import serve_operations
from aro.runtime.vitals import reporter
from worker_enricher.consumer import Batch, CeleryDispatch, Consumer
from worker_enricher.probes import HUNG_SECONDS, redis_check
from worker_enricher.replay_consumer import ReplayConsumer
from worker_enricher.schedule import create_app
from worker_enricher.settings import WorkerSettings

log = get_logger(__name__)


def run(settings: WorkerSettings) -> None:
    """Until SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    app = create_app(settings)
    tracing.start("worker-enricher-consume", settings.otlp_endpoint)

    def send(task: str, batch: Batch) -> None:
        entries = sum(len(batch.get(stream, ())) for stream in LEDGER_STREAMS)
        with tracing.span("send batch", kind="producer", entries=entries):
            # Without `expires`: a worker whose clock is ahead would drop every batch, until the ledger gives them up.
            app.send_task(task, args=[batch], queue=QUEUE_ENRICH, retry=False, headers=tracing.carried({}))

    def send_replayed(ids: Sequence[str]) -> None:
        app.send_task(TASK_REPLAY, args=[ids], queue=QUEUE_REPLAY, retry=False)

    client = redis_client.connect(settings.redis_url)
    broker = redis_client.connect(settings.broker_url)
    clock, name = SystemClock(), settings.consumer_name or socket.gethostname()
    consumer = Consumer(
        Ledger(client),
        DeadLetters(client),
        CeleryDispatch(send, broker, QUEUE_ENRICH, Turns(client), name),
        clock,
        name=name,
        batch_size=settings.batch_size,
        batch_ms=settings.batch_ms,
        reclaim_idle_ms=settings.reclaim_idle_ms,
        conflate_after_ms=settings.conflate_after_ms,
    )

    def turning() -> None:
        if clock.monotonic() - consumer.last_turn > HUNG_SECONDS:
            raise TimeoutError("the consumer loop does not turn")

    health = Health(ready={"redis": redis_check(settings)}, alive={"loop": turning})
    serve_operations("worker-enricher-consume", host=settings.host, port=settings.operations_port, health=health)
    reporter(settings.redis_url, "worker-enricher-consume").start()
    replays = redis_client.connect(settings.redis_url)
    queued = redis_client.connect(settings.broker_url)
    ReplayConsumer(
        ReplaySessions(replays),
        ReplayLedger(replays),
        send_replayed,
        lambda: int(queued.llen(QUEUE_REPLAY)),
        clock,
        name=name,
    ).start()
    log.info("consuming")
    consumer.run(stop)
    tracing.stop()
    log.info("stopped")
