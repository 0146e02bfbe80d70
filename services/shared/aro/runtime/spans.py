"""The half of `aro.runtime.tracing` that knows OpenTelemetry; only it imports this."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aro.runtime.tracing import Attributes, Kind

_KINDS: Final = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
# Traceparent only: baggage of strangers has no business in our calls.
_CONTEXT: Final = TraceContextTextMapPropagator()


class Spans:
    """A tracer of its own, so that a library that looks for the global one finds none."""

    def __init__(self, service: str, endpoint: str) -> None:
        resource = Resource.create({"service.name": service, "service.version": version("aro")})
        self._provider = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("aro")

    @contextmanager
    def span(self, name: str, kind: Kind, carrier: Mapping[str, str] | None, attributes: Attributes) -> Iterator[Span]:
        above = _CONTEXT.extract(carrier) if carrier else None
        with self._tracer.start_as_current_span(name, above, _KINDS[kind], attributes) as opened:
            yield opened

    def inject(self, headers: dict[str, str]) -> None:
        _CONTEXT.inject(headers)

    def stop(self) -> None:
        self._provider.shutdown()
