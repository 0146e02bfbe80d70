"""The logging service put together."""

import os
import signal
import socket
from typing import Any, Final

from flask import Flask, Response

from aro.adapters import mongo, redis_client
from aro.adapters.clock import SystemClock
from aro.adapters.log_store import LogStore
from aro.adapters.log_stream import LogStream
from aro.adapters.mongo import MongoDatabase, MongoError
from aro.adapters.redis_client import RedisError
from aro.adapters.revocations import Revocations
from aro.adapters.tokens import JwksKeys, TokenVerifier
from aro.contracts.problems import ServiceUnavailable
from aro.runtime.health import Health
from aro.runtime.logs import get_logger
from aro.runtime.openapi import add_openapi
from aro.runtime.preparation import Preparation
from aro.runtime.vitals import reporter
from aro.runtime.web import answer_problem, create_app
from logging_service.collector import Collector
from logging_service.housekeeping import Housekeeping
from logging_service.ingest import Ingest
from logging_service.quota import IngestQuota
from logging_service.reader import Reader
from logging_service.routes import log_routes, tail_routes
from logging_service.settings import LoggingSettings
from logging_service.tail import Tails

log = get_logger(__name__)

MONGO_SECONDS: Final = 5.0
REDIS_SECONDS: Final = 2.0
"""For one answer; longer than a blocking read waits."""
SHOWN_SECONDS: Final = 0.5
"""For showing posted lines to live tails, which their program waits for."""
PROBE_SECONDS: Final = 1.0


def create(settings: LoggingSettings) -> Flask:
    """The app with its connections and threads. Call it in the process that serves, in its main thread."""
    clock = SystemClock()
    database = mongo.connect(settings.mongo_url, settings.mongo_database, timeout=MONGO_SECONDS)
    store = LogStore(database)
    preparation = Preparation(store.ensure, retry_on=MongoError)
    collector = Collector(
        _stream(settings, REDIS_SECONDS),
        store,
        clock,
        consumer=f"{socket.gethostname()}-{os.getpid()}",
        lines_per_second=settings.lines_per_second,
    )
    revocations = Revocations(redis_client.connect(settings.redis_url, timeout=REDIS_SECONDS))
    app = build(settings, database, preparation, collector, revocations)
    revocations.start()
    preparation.start()
    collector.start()
    reporter(settings.redis_url, "logging-service").start()
    Housekeeping(store, clock, days=settings.retention_days, max_bytes=settings.max_bytes).start()
    return app


def build(
    settings: LoggingSettings,
    database: MongoDatabase,
    preparation: Preparation,
    collector: Collector,
    revocations: Revocations,
) -> Flask:
    clock = SystemClock()
    store = LogStore(database)
    stored = {"mongo": lambda: mongo.ping(database), "collections": preparation.check}
    probe = redis_client.connect(settings.redis_url, timeout=PROBE_SECONDS)
    health = Health(ready={**stored, "redis": lambda: _ping(probe)}, alive={"collector": collector.check})
    keys = JwksKeys(settings.jwks_url, clock=clock)
    verifier = TokenVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience)
    app = create_app(
        "logging-service",
        health=health,
        verifier=verifier,
        revocations=revocations,
        trusted_proxies=settings.trusted_proxies,
        otlp_endpoint=settings.otlp_endpoint,
    )
    quota = IngestQuota(
        clock,
        lines_per_minute=settings.ingest_lines_per_minute,
        bytes_per_day=settings.ingest_bytes_per_day,
        max_bytes=settings.max_bytes,
        retention_days=settings.retention_days,
    )
    reader = Reader(store, clock, retention_days=settings.retention_days)
    ingest = Ingest(store, _stream(settings, SHOWN_SECONDS), quota, clock)
    tails = Tails(lambda: _stream(settings, REDIS_SECONDS))
    # Searching needs the database, following needs Redis: either goes on without the other.
    app.register_blueprint(log_routes(reader, ingest, Health(ready=stored)))
    app.register_blueprint(tail_routes(tails, lambda principal: revocations.refuse(principal, strict=True), clock))
    app.register_error_handler(MongoError, _answer_mongo_error)
    app.register_error_handler(RedisError, _answer_redis_error)
    add_openapi(
        app,
        title="Option ARO logging service",
        description="Log lines of all services: searched, followed, and added to by outside programs.",
        problems=(ServiceUnavailable,),
    )
    _close_at_sigterm(tails)
    return app


def _stream(settings: LoggingSettings, seconds: float) -> LogStream:
    return LogStream(redis_client.connect(settings.redis_url, timeout=seconds))


def _ping(client: Any) -> None:
    client.ping()


def _close_at_sigterm(tails: Tails) -> None:
    """gunicorn waits for answers that have begun, and a tail has no end of its own."""
    before = signal.getsignal(signal.SIGTERM)

    def close(number: int, frame: Any) -> None:
        tails.is_closing = True
        if callable(before):
            before(number, frame)

    if callable(before):  # someone handles it; else the process ends at once
        signal.signal(signal.SIGTERM, close)


def _answer_mongo_error(error: MongoError) -> Response:
    log.warning("mongo does not answer", **{"error.type": type(error).__name__})
    return answer_problem(ServiceUnavailable("the database does not answer; try again in a moment"))


def _answer_redis_error(error: RedisError) -> Response:
    log.warning("redis does not answer", **{"error.type": type(error).__name__})
    return answer_problem(ServiceUnavailable("the stream of lines does not answer; try again in a moment"))
