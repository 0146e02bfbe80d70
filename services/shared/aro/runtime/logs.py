"""One JSON line per event on stdout, with ECS names, UTC stamps and the ids of what it is about."""

import logging
import sys
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

_SENSITIVE = ("password", "token", "secret", "authorization", "cookie")


def configure_logs(service: str, *, level: str = "INFO") -> None:
    """Route structlog and the standard library through one formatter. Call once, in ``__main__``."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="@timestamp"),
        structlog.processors.format_exc_info,
        _service_name(service),
        _redact,
        _ecs_names,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)


def get_logger(name: str) -> Any:
    return structlog.stdlib.get_logger(name)


def bind_request_id(request_id: str) -> None:
    """Every line logged in this context from now on carries `request_id`."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**{"trace.id": request_id})


def _service_name(service: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service.name"] = service
        return event

    return add


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in event:
        if any(word in key.lower() for word in _SENSITIVE):
            event[key] = "***"
    return event


def _ecs_names(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["message"] = event.pop("event", "")
    event["log.level"] = event.pop("level", "info")
    return event
