"""Spans for whoever runs an OpenTelemetry collector; off, and nothing of OpenTelemetry imported, before `start`.

Context travels as W3C ``traceparent``: `carried` puts it into headers of a call, and ``carrier`` of `span` takes it up
on the other side. Spans stand beside our own ``trace.id``, which needs no collector and is what logs and data carry.
"""

import importlib
import importlib.util
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Literal, Protocol

from aro.runtime.settings import setting

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int | float]

_OTHER_HALF: Final = "aro.runtime.spans"
"""What imports OpenTelemetry. By name, so that nothing that reads imports takes it for something a process needs."""
_EXPORTER: Final = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_OFF: Final[AbstractContextManager[None]] = nullcontext()


class Tracer(Protocol):
    def span(
        self, name: str, kind: Kind, carrier: Mapping[str, str] | None, attributes: Attributes
    ) -> AbstractContextManager[Any]: ...

    def inject(self, headers: dict[str, str]) -> None: ...

    def stop(self) -> None: ...


_tracer: Tracer | None = None


def endpoint_setting(name: str) -> Any:
    """The field of a settings class that `start` is given; a process that could send no spans refuses to start."""
    doc = "OpenTelemetry collector that spans go to (OTLP over HTTP), like http://127.0.0.1:4318; off if not set"
    return setting(name, doc, default=None, check=_usable)


def start(service: str, endpoint: str | None) -> None:
    """From now on, spans of this process go to `endpoint`, like ``http://127.0.0.1:4318``; None leaves all as it is.

    It starts a thread, so after a fork and never before. Raises ModuleNotFoundError without the extra ``aro[tracing]``.
    """
    global _tracer
    if endpoint is None:
        return
    other_half: Any = importlib.import_module(_OTHER_HALF)
    stop()
    _tracer = other_half.Spans(service, endpoint)


def stop() -> None:
    """Send what is waiting, and start no more spans. Processes that end as others do need not call it."""
    global _tracer
    if _tracer is not None:
        tracer, _tracer = _tracer, None
        tracer.stop()


def span(
    name: str, *, kind: Kind = "internal", carrier: Mapping[str, str] | None = None, **attributes: str | int | float
) -> AbstractContextManager[Any]:
    """A span around a block, below the one that `carrier` tells of, or else below the present one.

    What the block gets has ``set_attribute(key, value)``; when tracing is off it gets None.
    """
    return _OFF if _tracer is None else _tracer.span(name, kind, carrier, attributes)


def carried(headers: Mapping[str, str]) -> Mapping[str, str]:
    """`headers` with the present context; the very same when tracing is off."""
    if _tracer is None:
        return headers
    with_context = dict(headers)
    _tracer.inject(with_context)
    return with_context


def _usable(endpoint: str) -> None:
    if not endpoint.startswith(("http://", "https://")):
        raise ValueError("must be an address like http://127.0.0.1:4318")
    try:
        found = importlib.util.find_spec(_EXPORTER)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise ValueError("needs the extra aro[tracing], which is not installed")
