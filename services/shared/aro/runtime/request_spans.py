"""A span per HTTP request that Flask answers, below the caller's."""

from collections.abc import Set
from contextlib import ExitStack

from flask import Flask, Response, g, request

from aro.runtime import tracing


def trace_requests(app: Flask, *, besides: Set[str]) -> None:
    """All but those for paths in `besides`. To be called before `app` gets other hooks, so that these are inside."""

    @app.before_request
    def open_span() -> None:
        g.span_end, g.span = ExitStack(), None
        if request.path not in besides:
            route = request.url_rule.rule if request.url_rule else "unmatched"
            named = f"{request.method} {route}"
            about = {"http.request.method": request.method, "http.route": route}
            carrier = {"traceparent": request.headers.get("traceparent", "")}
            g.span = g.span_end.enter_context(tracing.span(named, kind="server", carrier=carrier, **about))

    @app.after_request
    def describe_span(response: Response) -> Response:
        if g.get("span") is not None:
            g.span.set_attribute("http.response.status_code", response.status_code)
            # The word by which logs and answers know this request.
            g.span.set_attribute("aro.trace.id", g.get("request_id", ""))
        return response

    @app.teardown_request
    def close_span(_: BaseException | None) -> None:
        if "span_end" in g:
            g.span_end.close()
