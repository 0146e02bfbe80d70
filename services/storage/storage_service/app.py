"""The storage service put together."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from flask import Flask, Response

from aro.adapters import mongo, redis_client
from aro.adapters.chain_store import ChainStore
from aro.adapters.clock import SystemClock
from aro.adapters.mongo import MongoDatabase, MongoError
from aro.adapters.revocations import Revocations
from aro.adapters.tick_store import TickStore
from aro.adapters.tokens import JwksKeys, TokenVerifier
from aro.contracts.problems import ServiceUnavailable
from aro.runtime.health import Health
from aro.runtime.logs import get_logger
from aro.runtime.openapi import add_openapi
from aro.runtime.preparation import Preparation
from aro.runtime.vitals import reporter
from aro.runtime.web import answer_problem, create_app
from storage_service.housekeeping import Housekeeping
from storage_service.migrations import migrate
from storage_service.reader import Reader
from storage_service.retention import Retention
from storage_service.routes import chain_routes, product_routes, tick_routes
from storage_service.settings import StorageSettings
from storage_service.vitals import Vitals

log = get_logger(__name__)

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

DESCRIPTION: Final = """
What the platform stored: products, expiries, chains, metrics and ticks, as they are now and as they were at an instant.

Instants are ISO 8601 with an offset, or epoch milliseconds. A state carries `As-Of`: asking again with `as_of=` that
value gives the same bytes. Pages of history have a `next_cursor` and a `Link` to the next one; `Accept: text/csv` gives
a table, `application/x-ndjson` one JSON object per line.
"""

REQUEST_SECONDS: Final = 2.5
"""A page may take many queries; together they have this long."""


def create(settings: StorageSettings) -> Flask:
    """The app with its connections and threads. Call it in the process that serves."""
    database = mongo.connect(settings.mongo_url, settings.mongo_database)
    preparation = Preparation(lambda: _migrate(database), retry_on=MongoError)
    revocations = _follow_revocations(settings)
    app = build(settings, database, preparation, revocations)
    preparation.start()
    Vitals(database).start()
    if settings.redis_url is not None:
        reporter(settings.redis_url, "storage").start()
    Housekeeping(ChainStore(database), SystemClock(), Retention(settings, database).expire).start()
    return app


def _migrate(database: MongoDatabase) -> None:
    migrate(database, SystemClock())


def _follow_revocations(settings: StorageSettings) -> Revocations | None:
    """Without a Redis a token is good until it expires, minutes later."""
    if settings.redis_url is None:
        return None
    revocations = Revocations(redis_client.connect(settings.redis_url))
    revocations.start()
    return revocations


def build(
    settings: StorageSettings,
    database: MongoDatabase,
    preparation: Preparation,
    revocations: Revocations | None = None,
) -> Flask:
    clock = SystemClock()
    health = Health(ready={"mongo": lambda: mongo.ping(database), "collections": preparation.check})
    keys = JwksKeys(settings.jwks_url, clock=clock)
    verifier = TokenVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience)
    app = create_app(
        "storage",
        health=health,
        verifier=verifier,
        revocations=revocations,
        otlp_endpoint=settings.otlp_endpoint,
    )
    reader = Reader(ChainStore(database), TickStore(database), clock)
    for routes in (product_routes, chain_routes, tick_routes):
        app.register_blueprint(routes(reader, health))
    add_openapi(app, title="Option ARO storage", description=DESCRIPTION)
    app.register_error_handler(MongoError, _answer_mongo_error)
    app.wsgi_app = _bounded(app.wsgi_app)  # type: ignore[method-assign, assignment]
    return app


def _bounded(answer: Wsgi) -> Wsgi:
    def bounded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with mongo.deadline(REQUEST_SECONDS):
            return answer(environ, start_response)

    return bounded


def _answer_mongo_error(error: MongoError) -> Response:
    log.warning("mongo does not answer", **{"error.type": type(error).__name__})
    return answer_problem(ServiceUnavailable("the database does not answer; try again in a moment"))
