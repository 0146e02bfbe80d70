"""The one proxy function: a Flask request becomes a call, and the upstream's reply the answer."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote_from_bytes

from flask import Blueprint, Response, g, request

from api_gateway.failures import UpstreamAway
from api_gateway.guard import Guard
from api_gateway.headers import to_client, to_upstream
from api_gateway.streams import OpenStreams, Stream
from api_gateway.table import Access, Route
from api_gateway.upstream import Call, Upstream
from aro.contracts.problems import BadGateway, RateLimited, ServiceUnavailable, UpstreamTimeout
from aro.runtime.answers import answers
from aro.runtime.web import admin_only, answer_problem, any_scope, client_address, public

_SAFE: Final = "/:@!$&'()*+,;=~-._"
"""What may stand unescaped in a path (RFC 3986), as the server below decoded it."""


PROXIED: Final = "proxied"
"""Name of the blueprint, by which its rules are told from the gateway's own."""
FAILURES: Final = (RateLimited, BadGateway, ServiceUnavailable, UpstreamTimeout)
"""What any route behind the gateway may answer besides what its service does."""


class Proxy:
    def __init__(self, upstreams: Mapping[str, Upstream], guard: Guard, streams: OpenStreams) -> None:
        self._upstreams = upstreams
        self._guard = guard
        self._streams = streams

    def routes(self, routes: tuple[Route, ...]) -> Blueprint:
        """A rule for each of `routes`; a more specific rule of the same app goes first."""
        blueprint = Blueprint(PROXIED, __name__)
        for number, route in enumerate(routes):
            view = self._view(route)
            for rule in (route.path, f"{route.path}/<path:rest>") if route.below else (route.path,):
                blueprint.add_url_rule(
                    rule,
                    f"{route.upstream}_{number}",
                    view,
                    methods=route.methods,
                    provide_automatic_options=False,
                )
        blueprint.app_errorhandler(UpstreamAway)(_answer_away)
        return blueprint

    def pass_on(self, route: Route) -> Response:
        """Send the present request to the upstream of `route`; raises what `Upstream.ask` does, and `NotAuthenticated`
        kinds."""
        reply = self._upstreams[route.upstream].ask(self._call(route), route.terms)
        response = Response(reply.body, status=reply.status, direct_passthrough=True)
        response.headers.clear()
        response.headers.extend(to_client(reply.headers))
        if isinstance(reply.body, Stream) and route.terms.idle_seconds is not None:
            self._end_with_session(response, reply.body)
        return response

    def _call(self, route: Route) -> Call:
        authorization = request.headers.get("Authorization", "")
        if route.access is not Access.PUBLIC:
            # A personal token stays here; services see the access token that it was exchanged for.
            authorization = f"Bearer {self._guard.access(authorization).token}"
        headers = to_upstream(
            request.environ, authorization=authorization, address=client_address(), request_id=g.request_id
        )
        return Call(request.method, target(request.environ), headers, request.get_data(cache=False))

    def _end_with_session(self, response: Response, stream: Stream) -> None:
        session = g.principal.session
        self._streams.add(session, stream)
        response.call_on_close(lambda: self._streams.discard(session, stream))

    def _view(self, route: Route) -> Callable[..., Response]:
        @answers(None, "What the service behind answers", problems=FAILURES)
        def view(**_: Any) -> Response:
            """Passed on to the service behind."""
            return self.pass_on(route)

        return {Access.PUBLIC: public, Access.TOKEN: any_scope, Access.ADMIN: admin_only}[route.access](view)


def target(environ: Mapping[str, Any]) -> str:
    """The path that was routed by, escaped anew, so that the upstream sees no other; the query as it was sent."""
    path = quote_from_bytes(environ["PATH_INFO"].encode("latin-1"), safe=_SAFE)
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


def _answer_away(error: UpstreamAway) -> Response:
    response = answer_problem(error)
    response.headers["Retry-After"] = str(error.retry_after)
    return response
