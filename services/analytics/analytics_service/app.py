"""The analytics service put together."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import redis
from flask import Flask, Response

from analytics_service.alert_routes import alert_routes
from analytics_service.alert_watch import AlertWatch
from analytics_service.answering import HEAVY_SECONDS, Desk
from analytics_service.asking import Asking
from analytics_service.bar_routes import bar_routes
from analytics_service.chain_routes import (
    add_chain_routes,
    add_interest_routes,
    add_metric_routes,
    add_strategy_route,
)
from analytics_service.market import Market
from analytics_service.replay_routes import Limits, replay_routes
from analytics_service.results import Gate, Results
from analytics_service.settings import AnalyticsSettings
from analytics_service.surface_routes import add_history_routes, add_realised_route, add_surface_routes
from aro.adapters import mongo, redis_client
from aro.adapters.alert_store import AlertStore
from aro.adapters.clock import SystemClock
from aro.adapters.live import LiveReader
from aro.adapters.mongo import MongoDatabase, MongoError
from aro.adapters.redis_client import RedisError
from aro.adapters.replay_sessions import ReplaySessions
from aro.adapters.revocations import Revocations
from aro.adapters.tokens import JwksKeys, TokenVerifier
from aro.contracts.problems import ServiceUnavailable
from aro.runtime.api import Blueprint
from aro.runtime.health import Check, Health
from aro.runtime.logs import get_logger
from aro.runtime.openapi import add_openapi
from aro.runtime.preparation import Preparation
from aro.runtime.vitals import reporter
from aro.runtime.web import answer_problem, create_app

log = get_logger(__name__)

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

REDIS_SECONDS: Final = 1.5
MIB: Final = 1 << 20
DESCRIPTION: Final = """Bars, histories, exposure, surfaces, term structure, alerts and replay sessions.

Live questions are answered from the newest state, past ones (`as_of`, `to`) from what was stored. Every answer has an
`ETag`; a state also has `As-Of`, and asking again with `as_of` that value gives the same."""


def create(settings: AnalyticsSettings) -> Flask:
    """The app with its connections and threads. Call it in the process that serves."""
    client = redis_client.connect(settings.redis_url, timeout=REDIS_SECONDS)
    database = mongo.connect(settings.mongo_url, settings.mongo_database)
    alerts = AlertStore(database)
    preparation = Preparation(alerts.ensure, retry_on=MongoError)
    revocations = Revocations(client)
    watch = AlertWatch(settings.redis_url, LiveReader(client), alerts, SystemClock())
    app = build(settings, client, database, preparation, revocations, alive={"alerts": watch.check})
    preparation.start()
    revocations.start()
    watch.start()
    reporter(settings.redis_url, "analytics").start()
    return app


def build(
    settings: AnalyticsSettings,
    client: "redis.Redis",
    database: MongoDatabase,
    preparation: Preparation,
    revocations: Revocations | None = None,
    alive: Mapping[str, Check] = MappingProxyType({}),
) -> Flask:
    clock = SystemClock()
    health = Health(
        alive=alive,
        ready={"redis": lambda: _ping(client), "mongo": lambda: mongo.ping(database), "collections": preparation.check},
    )
    keys = JwksKeys(settings.jwks_url, clock=clock)
    verifier = TokenVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience)
    app = create_app(
        "analytics",
        health=health,
        verifier=verifier,
        revocations=revocations,
        trusted_proxies=settings.trusted_proxies,
        otlp_endpoint=settings.otlp_endpoint,
    )
    results = Results(max_bytes=round(settings.result_cache_mib * MIB))
    asking = Asking(
        Desk(Market(LiveReader(client), database, clock, lambda name: require(health, name)), results, Gate())
    )
    app.register_blueprint(analytics_routes(asking))
    app.register_blueprint(bar_routes(asking))
    alerts = alert_routes(AlertStore(database), clock, limit=settings.alerts_per_user)
    alerts.before_request(lambda: require(health, "mongo"))
    app.register_blueprint(alerts)
    limits = Limits(settings.replay_sessions, settings.replay_sessions_per_user)
    replays = replay_routes(ReplaySessions(client), clock, limits)
    replays.before_request(lambda: require(health, "redis"))
    app.register_blueprint(replays)
    app.register_error_handler(MongoError, _answer_mongo_error)
    app.register_error_handler(RedisError, _answer_redis_error)
    app.wsgi_app = _bounded(app.wsgi_app)  # type: ignore[method-assign, assignment]
    add_openapi(app, title="Option ARO analytics", description=DESCRIPTION, problems=(ServiceUnavailable,))
    return app


def analytics_routes(asking: Asking) -> Blueprint:
    blueprint = Blueprint(
        "analytics", __name__, url_prefix="/api/v1/analytics", description="Computed from chains, metrics and surfaces"
    )
    for add in (
        add_metric_routes,
        add_chain_routes,
        add_interest_routes,
        add_strategy_route,
        add_surface_routes,
        add_history_routes,
        add_realised_route,
    ):
        add(blueprint, asking)
    return blueprint


def _bounded(answer: Wsgi) -> Wsgi:
    """What has no shorter deadline of its own waits no longer than this for MongoDB."""

    def bounded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with mongo.deadline(HEAVY_SECONDS):
            return answer(environ, start_response)

    return bounded


def require(health: Health, name: str) -> None:
    """Raise `ServiceUnavailable` at once instead of letting every request wait for a server that is away."""
    if health.readiness()[1].get(name, "ok") != "ok":
        raise ServiceUnavailable(f"{name} is away, and this answer needs it; try again in a moment")


def _ping(client: "redis.Redis") -> None:
    client.ping()


def _answer_mongo_error(error: MongoError) -> Response:
    log.warning("mongo does not answer", **{"error.type": type(error).__name__})
    return answer_problem(ServiceUnavailable("the database does not answer; try again in a moment"))


def _answer_redis_error(error: RedisError) -> Response:
    log.warning("redis does not answer", **{"error.type": type(error).__name__})
    return answer_problem(ServiceUnavailable("live data cannot be read at the moment; as_of still works"))
