"""One JSON line per event on stdout, with ECS names, UTC stamps and the ids of what it is about.

With `ship_to`, the same line goes to the logging service as well, behind the back of whoever logged it: see
`aro.runtime.log_shipping`. A service does both in ``__main__``, after its settings and before anything else::

    ship_to = settings.redis_url if settings.log_shipping else None
    configure_logs("my-service", level=settings.log_level, ship_to=ship_to)

where ``log_shipping: bool = setting("ARO_LOG_SHIPPING", …, default=True)``. A process whose children count into
``PROMETHEUS_MULTIPROC_DIR`` sets that variable first.
"""

import itertools
import logging
import os
import secrets
import sys
import traceback
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from aro.runtime.redaction import MAX_ITEMS, MAX_TEXT, clean_object

MAX_LINE_BYTES: Final = 16_384
_SHORT_TEXT: Final = 500

_LINE_BREAKS: Final = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}

TRACE_ID: Final = "trace.id"
TRACE_IDS: Final = "trace.ids"


def configure_logs(service: str, *, level: str = "INFO", ship_to: str | None = None) -> None:
    """Route structlog and the standard library through one formatter. Call once, in ``__main__``.

    `ship_to` is the Redis that lines are shipped to; None keeps them on stdout only.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="@timestamp"),
        _error_fields,
        _service_name(service),
        _numbered(),
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
    handler = LineHandler(ship_to)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _line],
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
    structlog.contextvars.bind_contextvars(**{TRACE_ID: request_id})


def concerning(ids: Iterable[str]) -> dict[str, list[str]]:
    """Fields of one line about many things: ``log.info("published", **concerning(chain.id for chain in chains))``.

    Whoever asks the logging service for any of the ids finds the line; ids beyond `MAX_ITEMS` are left out.
    """
    return {TRACE_IDS: list(itertools.islice(ids, MAX_ITEMS))}


class LineHandler(logging.StreamHandler[Any]):
    """Writes each line to stdout and, only then, hands it to the shipper."""

    def __init__(self, ship_to: str | None) -> None:
        super().__init__(sys.stdout)
        self._shipper = None
        if ship_to is not None:
            # Not at the top: it declares metrics, and importing this module must not.
            from aro.runtime.log_shipping import shipper_to

            self._shipper = shipper_to(ship_to)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
            try:
                self.stream.write(f"{line}\n")
                self.flush()
            finally:
                if self._shipper is not None:
                    self._shipper.offer(line)
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - the contract of logging handlers: trouble with a line is not its caller's
            self.handleError(record)


# --- processors ----------------------------------------------------------------------------


def _service_name(service: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service.name"] = service
        return event

    return add


def _numbered() -> Processor:
    """``event.id``: the process and its line, so that a line that arrives twice is stored once, and in order."""
    process = [secrets.token_hex(6)]
    lines = itertools.count()

    def forked() -> None:
        process[0] = secrets.token_hex(6)

    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["event.id"] = f"{process[0]}-{next(lines):08x}"
        return event

    os.register_at_fork(after_in_child=forked)
    return add


def _error_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    given = event.pop("exc_info", None)
    if isinstance(given, BaseException):
        given = (type(given), given, given.__traceback__)
    elif given and not isinstance(given, tuple):
        given = sys.exc_info()
    if given and given[0] is not None:
        event["error.type"] = given[0].__name__
        event["error.message"] = _said(given[1])
        event["error.stack_trace"] = "".join(traceback.format_exception(*given))
    return event


def _said(error: BaseException | None) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - what an exception does when it is printed is not ours
        return "<unprintable>"


def _ecs_names(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["message"] = event.pop("event", "")
    event["log.level"] = event.pop("level", "info")
    return event


def _line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """One line of JSON without secrets, at most `MAX_LINE_BYTES` long."""
    fields = clean_object(event)
    line = msgspec.json.encode(fields)
    if len(line) > MAX_LINE_BYTES:
        line = msgspec.json.encode({name: _shortened(value) for name, value in fields.items()})
    if len(line) > MAX_LINE_BYTES:
        kept = ("@timestamp", "log.level", "service.name", "event.id", TRACE_ID, "message")
        line = msgspec.json.encode({name: _shortened(fields[name]) for name in kept if name in fields})
    text = line.decode()
    # JSON lets these stand; whatever splits lines as Unicode does would split here.
    return text if text.isascii() else text.translate(_LINE_BREAKS)


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _SHORT_TEXT else f"{value[:_SHORT_TEXT]} …"
    if isinstance(value, list | dict):
        text = msgspec.json.encode(value).decode()
        return value if len(text) <= MAX_TEXT // 2 else f"{text[:_SHORT_TEXT]} …"
    return value
