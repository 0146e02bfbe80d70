"""The three long-running roles: wiring, signals and health."""

import logging
import os
import signal
import socket
import threading
import time
from typing import Any, Final

from celery import bootsteps
from celery.apps.worker import Worker

from aro.adapters import mongo, redis_client
from aro.adapters.clock import SystemClock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.contracts.names import QUEUE_ENRICH, QUEUES, TASK_ENRICH
from aro.quant import kernel
from aro.runtime.celery_app import BATCH_EXPIRES_SECONDS
from aro.runtime.health import Health
from aro.runtime.logs import get_logger
from aro.runtime.operations import serve_operations
from worker_enricher.consumer import Batch, CeleryDispatch, Consumer
from worker_enricher.settings import WorkerSettings
from worker_enricher.tasks import create_app

log = get_logger(__name__)

PROBE_SECONDS: Final = 1.0
HUNG_SECONDS: Final = 10.0
"""A loop that has not turned for this long is hung; the longest wait inside one is a 5 s socket timeout."""


class Heartbeat:
    """Turned by a loop, read by liveness."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def turn(self) -> None:
        self._at = time.monotonic()

    def check(self) -> None:
        if time.monotonic() - self._at > HUNG_SECONDS:
            raise TimeoutError("the main loop does not turn")


def consume(settings: WorkerSettings) -> None:
    """Role ``consume``: until SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    app = create_app(settings)

    def send(batch: Batch) -> None:
        app.send_task(TASK_ENRICH, args=[batch], queue=QUEUE_ENRICH, expires=BATCH_EXPIRES_SECONDS, retry=False)

    client = redis_client.connect(settings.redis_url)
    broker = redis_client.connect(settings.broker_url)
    clock = SystemClock()
    consumer = Consumer(
        Ledger(client),
        DeadLetters(client),
        CeleryDispatch(send, broker, QUEUE_ENRICH),
        clock,
        name=settings.consumer_name or socket.gethostname(),
        batch_size=settings.batch_size,
        batch_ms=settings.batch_ms,
        reclaim_idle_ms=settings.reclaim_idle_ms,
    )

    def turning() -> None:
        if clock.monotonic() - consumer.last_turn > HUNG_SECONDS:
            raise TimeoutError("the consumer loop does not turn")

    health = Health(ready={"redis": _redis_check(settings)}, alive={"loop": turning})
    serve_operations("worker-enricher-consume", host=settings.host, port=settings.operations_port, health=health)
    log.info("consuming")
    consumer.run(stop)
    log.info("stopped")


def work(settings: WorkerSettings) -> None:
    """Role ``work``: Celery's own signal handling ends it (warm shutdown)."""
    app = create_app(settings)
    heartbeat = Heartbeat()

    class Pulse(bootsteps.StartStopStep):  # type: ignore[misc]
        """Beats inside the worker's own event loop, so that a hung loop shows."""

        requires = ("celery.worker.components:Timer",)

        def start(self, worker: Any) -> None:
            worker.timer.call_repeatedly(1.0, heartbeat.turn)

    app.steps["worker"].add(Pulse)
    checks = {"redis": _redis_check(settings), "mongo": _mongo_check(settings)}
    health = Health(ready=checks, alive={"loop": heartbeat.check})
    serve_operations("worker-enricher-work", host=settings.host, port=settings.operations_port, health=health)
    log.info("working", kernel=kernel.description())
    for chatter in ("celery.worker.strategy", "celery.app.trace"):  # two lines per batch say nothing metrics do not
        logging.getLogger(chatter).setLevel(logging.WARNING)
    worker: Worker = app.Worker(
        hostname=f"work@{socket.gethostname()}-{os.getpid()}",
        queues=list(QUEUES),
        concurrency=settings.concurrency,
        loglevel=settings.log_level,
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()
    raise SystemExit(worker.exitcode)


def beat(settings: WorkerSettings) -> None:
    """Role ``beat``: sends what is periodic; run one of it."""
    app = create_app(settings)
    health = Health(ready={"redis": _redis_check(settings)})
    serve_operations("worker-enricher-beat", host=settings.host, port=settings.operations_port, health=health)
    app.Beat(loglevel=settings.log_level, quiet=True).run()


def _redis_check(settings: WorkerSettings) -> Any:
    client = redis_client.connect(settings.redis_url, timeout=PROBE_SECONDS)
    return client.ping


def _mongo_check(settings: WorkerSettings) -> Any:
    database = mongo.connect(
        settings.mongo_url, settings.mongo_database, timeout=PROBE_SECONDS, selection_timeout=PROBE_SECONDS
    )
    return lambda: mongo.ping(database)
