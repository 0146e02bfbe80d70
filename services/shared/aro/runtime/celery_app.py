"""The Celery app factory. The ledger stream, not Celery, is what keeps snapshots: see the architecture page."""

from typing import Any, Final

from celery import Celery, signals
from kombu.entity import Queue

from aro.contracts.names import QUEUE_ENRICH, QUEUES

VISIBILITY_SECONDS: Final = 60
TASK_SECONDS: Final = 10
"""Then its process is killed and replaced. There is no soft limit: while the broker is away the pool's parent reads no
results, takes finished tasks for running ones, and would raise into a child at rest, in the middle of a pipe."""


def create_celery(name: str, *, broker_url: str) -> Celery:
    app = Celery(name, broker=broker_url)
    transport = {
        "visibility_timeout": VISIBILITY_SECONDS,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "socket_timeout": 5,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
    }
    app.conf.update(
        broker_transport_options=transport,
        visibility_timeout=VISIBILITY_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,  # a lost task is re-sent by the ledger, which also caps how often
        task_queues=[Queue(queue) for queue in QUEUES],
        task_default_queue=QUEUE_ENRICH,
        task_create_missing_queues=False,
        task_time_limit=TASK_SECONDS,
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=50_000,
        worker_max_memory_per_child=400_000,
        worker_soft_shutdown_timeout=10,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_publish_retry=False,
        enable_utc=True,
        timezone="UTC",
    )
    signals.worker_process_shutdown.connect(_ship_last_lines, weak=False)
    return app


def _ship_last_lines(**_: Any) -> None:
    """Children of the pool end without their exit handlers."""
    # Not at the top: it declares metrics, and a process that only sends tasks may come too early for that.
    from aro.runtime.log_shipping import flush_logs

    flush_logs()
