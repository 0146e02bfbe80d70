"""Role ``work``: Celery's pool of children that do the work."""

import logging
import os
import socket
from collections.abc import Callable
from typing import Any

from celery import bootsteps
from celery.apps.worker import Worker

from aro.adapters import mongo
from aro.contracts.names import QUEUES
from aro.quant import kernel
from aro.runtime.health import Health
from aro.runtime.logs import get_logger
from aro.runtime.operations import serve_operations
from worker_enricher.broker import TRANSPORT
from worker_enricher.probes import PROBE_SECONDS, Heartbeat, redis_check
from worker_enricher.settings import WorkerSettings
from worker_enricher.tasks import create_app

log = get_logger(__name__)


def run(settings: WorkerSettings) -> None:
    """Celery's own signal handling ends it (warm shutdown)."""
    app = create_app(settings)
    app.conf.broker_transport = TRANSPORT
    heartbeat = Heartbeat()

    class Pulse(bootsteps.StartStopStep):  # type: ignore[misc]
        """Beats inside the worker's own event loop, so that a hung loop shows."""

        requires = ("celery.worker.components:Timer",)

        def start(self, worker: Any) -> None:
            worker.timer.call_repeatedly(1.0, heartbeat.turn)

    app.steps["worker"].add(Pulse)
    checks = {"redis": redis_check(settings), "mongo": _mongo_check(settings)}
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


def _mongo_check(settings: WorkerSettings) -> Callable[[], None]:
    database = mongo.connect(
        settings.mongo_url, settings.mongo_database, timeout=PROBE_SECONDS, selection_timeout=PROBE_SECONDS
    )
    return lambda: mongo.ping(database)
