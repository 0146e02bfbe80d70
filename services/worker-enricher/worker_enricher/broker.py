"""Celery's way to Redis, except that what is no task costs nothing but itself.

Kombu lets a message that it cannot read end the worker: every task waits until another process has started.
"""

from typing import Any, Final

from kombu.transport import redis, virtual

from aro.runtime.logs import get_logger
from worker_enricher import metrics

log = get_logger(__name__)

TRANSPORT: Final = f"{__name__}:Transport"
"""For Celery's `broker_transport`."""


class Channel(redis.Channel):  # type: ignore[misc]
    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            # Whatever it was: entries of the ledger that it may have named are sent again.
            metrics.enrich_failures.labels("unreadable").inc()
            log.error("a message in the queue is no task", exc_info=error)
            raise virtual.Empty from None


class Transport(redis.Transport):  # type: ignore[misc]
    Channel = Channel
