"""The api-gateway put together."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final

from flask import Flask, g, request

from api_gateway.cors import Cors
from api_gateway.dashboard import PAGE, Page, dashboard_routes, is_built
from api_gateway.documents import Documents
from api_gateway.edge import Edge
from api_gateway.exchange import TokenExchange
from api_gateway.fast_path import Answers, AtHand, FastPath
from api_gateway.front import front_routes
from api_gateway.guard import Guard
from api_gateway.limits import SCOPE_ADDRESS, SCOPE_USER, Limits, Quota, RedisLedger
from api_gateway.live_states import LiveStates
from api_gateway.pages import page_routes
from api_gateway.proxy import Proxy
from api_gateway.settings import ApiGatewaySettings
from api_gateway.streams import OpenStreams
from api_gateway.table import ANALYTICS, AUTH, LOGGING, ROUTES, STORAGE
from api_gateway.upstream import Upstream
from aro.adapters import redis_client
from aro.adapters.clock import Clock, SystemClock
from aro.adapters.live import LiveReader
from aro.adapters.revocations import Revocations
from aro.adapters.tokens import JwksKeys, TokenVerifier
from aro.contracts.problems import RateLimited
from aro.runtime.addresses import parse_networks
from aro.runtime.health import Health
from aro.runtime.inline import answer_inline
from aro.runtime.operations import serve_operations
from aro.runtime.origins import parse_origin
from aro.runtime.settings import SettingsError
from aro.runtime.vitals import reporter
from aro.runtime.web import create_app
from aro.runtime.wsgi import on_exit

SERVICE: Final = "api-gateway"
_URL: Final = re.compile(r"https?://[^/?#]+/?$")
LIVE_SECONDS: Final = 0.25
"""How long a request may wait for Redis to say what is newest, before storage is asked instead."""
QUOTA_SECONDS: Final = 0.2
"""How long a request may wait for Redis to count it, once a second at most."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """What `create` starts and tests hold."""

    app: Flask
    documents: Documents
    revocations: Revocations
    states: LiveStates
    health: Health


def create(settings: ApiGatewaySettings) -> Flask:
    """The app with its connections and threads. Call it in the process that serves."""
    gateway = build(settings, SystemClock())
    gateway.revocations.start()
    gateway.documents.start()
    gateway.states.start()
    reporter(settings.redis_url, SERVICE).start()
    serve_operations(SERVICE, host=settings.host, port=settings.operations_port, health=gateway.health)
    return gateway.app


def verify(settings: ApiGatewaySettings) -> None:
    """Raises `SettingsError` for a URL, a network or an origin that is none, and for a page that is not built."""
    urls = (settings.auth_url, settings.storage_url, settings.analytics_url, settings.logging_url)
    faults = [f"{url!r} is no address of a service like http://127.0.0.1:8020" for url in urls if not _URL.match(url)]
    faults += _refused(ip_network, settings.trusted_proxies) + _refused(parse_origin, settings.cors_origins)
    faults += _refused(parse_origin, (settings.public_socket_url,) if settings.public_socket_url else ())
    if settings.page_dir is not None and not is_built(settings.page_dir):
        faults.append(f"ARO_PAGE_DIR: there is no {PAGE} in {settings.page_dir}; scripts/build-page.sh makes it")
    if faults:
        raise SettingsError("; ".join(faults))


def _refused(parse: Callable[[str], object], texts: tuple[str, ...]) -> list[str]:
    """What `parse` says of those of `texts` that it does not take."""
    refused = []
    for text in texts:
        try:
            parse(text)
        except ValueError as error:
            refused.append(str(error))
    return refused


def build(settings: ApiGatewaySettings, clock: Clock) -> Gateway:
    upstreams = connect(settings, clock)
    keys = JwksKeys(settings.jwks_url, clock=clock)
    streams = OpenStreams()
    revocations = Revocations(redis_client.connect(settings.redis_url), on_revoked=streams.interrupt)
    guard = Guard(
        TokenVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience),
        revocations,
        exchange=TokenExchange(upstreams[AUTH]),
        clock=clock,
    )
    # It lets nobody in until it has the keys of auth. No key has an empty name: this only asks for them.
    health = Health(ready={"keys": lambda: _ask_for(keys)})
    app = create_app(
        SERVICE,
        health=health,
        verifier=guard,
        revocations=revocations,
        trusted_proxies=settings.trusted_proxies,
        serves_metrics=False,
        otlp_endpoint=settings.otlp_endpoint,
    )
    limits = quotas(settings, clock)
    limit_users(app, limits)
    app.register_blueprint(Proxy(upstreams, guard, streams).routes(ROUTES))
    documents = Documents(upstreams)
    app.register_blueprint(front_routes(documents))
    app.register_blueprint(page_routes())
    app.register_blueprint(dashboard_routes(Page(settings.page_dir), socket_url=settings.public_socket_url))
    documents.describe(app)
    states = LiveStates(LiveReader(redis_client.connect(settings.redis_url, timeout=LIVE_SECONDS)), clock)
    answers = Answers(states, guard, limits, clock, service=SERVICE, stale_after_ms=settings.stale_after_ms)
    edge = app.wsgi_app = Edge(  # type: ignore[method-assign]
        FastPath(app.wsgi_app, answers),
        limits=limits,
        cors=Cors(settings.cors_origins),
        trusted=parse_networks(settings.trusted_proxies),
        hsts_seconds=settings.hsts_seconds,
    )
    answer_inline(app, AtHand(edge, answers))
    on_exit(app, health.drain)
    on_exit(app, streams.interrupt_all)
    return Gateway(app, documents, revocations, states, health)


def connect(settings: ApiGatewaySettings, clock: Clock) -> dict[str, Upstream]:
    """The services behind the gateway; nothing is sent to them yet."""
    urls = {
        AUTH: settings.auth_url,
        STORAGE: settings.storage_url,
        ANALYTICS: settings.analytics_url,
        LOGGING: settings.logging_url,
    }
    streams = {LOGGING: settings.log_tails}
    return {name: Upstream(name, url, clock=clock, streams=streams.get(name, 0)) for name, url in urls.items()}


def quotas(settings: ApiGatewaySettings, clock: Clock) -> Limits:
    ledger = RedisLedger(redis_client.connect(settings.redis_url, timeout=QUOTA_SECONDS), clock)
    return Limits(
        users=Quota(SCOPE_USER, settings.requests_per_user, ledger, clock),
        addresses=Quota(SCOPE_ADDRESS, settings.requests_per_address, ledger, clock),
    )


def limit_users(app: Flask, limits: Limits) -> None:
    """After the frame has found out whose token it is."""

    @app.before_request
    def limit_user() -> None:
        if "principal" in g and not limits.admit(request.environ, g.principal.subject):
            wait = request.environ[Limits.ALLOWANCE].reset
            raise RateLimited(f"too many requests from this account; try again in {wait} s", retry_after=wait)


def _ask_for(keys: JwksKeys) -> None:
    keys.find("")
