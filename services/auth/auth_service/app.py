"""The auth service put together."""

from flask import Flask, Response

from aro.adapters import mongo
from aro.adapters.clock import SystemClock
from aro.adapters.mongo import MongoDatabase, MongoError
from aro.adapters.passwords import Passwords
from aro.adapters.tokens import StaticKeys, TokenIssuer, TokenVerifier
from aro.adapters.user_store import UserStore
from aro.contracts.problems import ServiceUnavailable
from aro.runtime.health import Health
from aro.runtime.logs import get_logger
from aro.runtime.preparation import Preparation
from aro.runtime.web import answer_problem, create_app
from auth_service.accounts import Accounts
from auth_service.keys import SigningKey
from auth_service.routes import account_routes, key_routes
from auth_service.settings import AuthSettings
from auth_service.throttle import Throttle

log = get_logger(__name__)

MONGO_SECONDS = 2.5


def create(settings: AuthSettings, key: SigningKey) -> Flask:
    """The app with its connections and threads. Call it in the process that serves."""
    database = mongo.connect(settings.mongo_url, settings.mongo_database, timeout=MONGO_SECONDS)
    preparation = Preparation(UserStore(database).ensure, retry_on=MongoError)
    app = build(settings, key, database, preparation)
    preparation.start()
    return app


def build(settings: AuthSettings, key: SigningKey, database: MongoDatabase, preparation: Preparation) -> Flask:
    clock = SystemClock()
    health = Health(ready={"mongo": lambda: mongo.ping(database), "indexes": preparation.check})
    names = {"issuer": settings.token_issuer, "audience": settings.token_audience}
    app = create_app("auth", health=health, verifier=TokenVerifier(StaticKeys({key.kid: key.public}), **names))
    throttle = Throttle(settings)
    throttle.attach(app)
    tokens = TokenIssuer(key.private, key.kid, clock=clock, **names)
    accounts = Accounts(UserStore(database), Passwords(), tokens, clock)
    app.register_blueprint(account_routes(accounts, throttle, health))
    app.register_blueprint(key_routes(key))
    app.register_error_handler(MongoError, _answer_mongo_error)
    return app


def _answer_mongo_error(error: MongoError) -> Response:
    log.warning("mongo does not answer", **{"error.type": type(error).__name__})
    return answer_problem(ServiceUnavailable("the database does not answer; try again in a moment"))
