"""The auth service put together."""

from dataclasses import dataclass
from typing import Final

from flask import Flask, Response

from aro.adapters import mongo, redis_client
from aro.adapters.clock import Clock, SystemClock
from aro.adapters.invitation_store import InvitationStore
from aro.adapters.mongo import MongoDatabase, MongoError
from aro.adapters.passwords import Passwords
from aro.adapters.personal_token_store import PersonalTokenStore
from aro.adapters.session_store import SessionStore
from aro.adapters.tokens import TokenVerifier
from aro.adapters.user_store import UserStore
from aro.contracts.problems import ServiceUnavailable
from aro.runtime.health import Health
from aro.runtime.logs import get_logger
from aro.runtime.openapi import add_openapi
from aro.runtime.preparation import Preparation
from aro.runtime.vitals import reporter
from aro.runtime.web import answer_problem, create_app
from auth_service.accounts import Accounts
from auth_service.admin_routes import invitation_routes, user_routes
from auth_service.administration import Administration
from auth_service.attempts import Attempts
from auth_service.endings import Endings
from auth_service.guard import LiveVerifier
from auth_service.housekeeping import REPEAT_SECONDS, SWEEP_SECONDS, Periodic
from auth_service.invitations import Invitations
from auth_service.keyring import KeyRing
from auth_service.personal_tokens import PersonalTokens
from auth_service.routes import account_routes, key_routes, session_routes
from auth_service.sessions import Sessions
from auth_service.settings import VERIFICATION_REQUIRED, AuthSettings
from auth_service.signing import Signer
from auth_service.throttle import Throttle
from auth_service.token_routes import token_routes

log = get_logger(__name__)

MONGO_SECONDS: Final = 2.5
REDIS_SECONDS: Final = 0.5
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Stores:
    users: UserStore
    sessions: SessionStore
    tokens: PersonalTokenStore
    invitations: InvitationStore

    @classmethod
    def of(cls, database: MongoDatabase) -> "Stores":
        return cls(UserStore(database), SessionStore(database), PersonalTokenStore(database), InvitationStore(database))

    def ensure(self) -> None:
        """Create all indexes. Safe to repeat."""
        for store in (self.users, self.sessions, self.tokens, self.invitations):
            store.ensure()

    def expire(self, before_ms: int) -> None:
        """Forget what came to its end before `before_ms`."""
        for store in (self.sessions, self.tokens, self.invitations):
            store.expire(before_ms=before_ms)


def create(settings: AuthSettings) -> Flask:
    """The app with its connections and threads. Call it in the process that serves. Raises `KeyUnusable`."""
    clock = SystemClock()
    database = mongo.connect(settings.mongo_url, settings.mongo_database, timeout=MONGO_SECONDS)
    stores = Stores.of(database)
    preparation = Preparation(stores.ensure, retry_on=MongoError)
    keys = KeyRing(settings.key_dir, clock, settings.key_group)
    endings = _endings(settings, stores, clock)
    app = build(settings, keys, database, preparation, endings=endings)
    preparation.start()
    if settings.redis_url is not None:
        reporter(settings.redis_url, "auth").start()
    kept_ms = settings.session_retention_days * DAY_MS
    Periodic("telling what ended", REPEAT_SECONDS, endings.repeat).start()
    Periodic("forgetting what ended", SWEEP_SECONDS, lambda: stores.expire(clock.now_ms() - kept_ms)).start()
    return app


def build(
    settings: AuthSettings,
    keys: KeyRing,
    database: MongoDatabase,
    preparation: Preparation,
    *,
    endings: Endings | None = None,
) -> Flask:
    """The app on what is given, without threads of its own."""
    clock = SystemClock()
    stores = Stores.of(database)
    endings = endings or _endings(settings, stores, clock)
    health = Health(ready={"mongo": lambda: mongo.ping(database), "indexes": preparation.check})
    names = {"issuer": settings.token_issuer, "audience": settings.token_audience}
    signer = Signer(keys, clock=clock, **names)
    sessions = Sessions(
        stores.sessions,
        endings,
        clock,
        hours=settings.session_hours,
        idle_hours=settings.session_idle_hours,
        per_user=settings.sessions_per_user,
    )
    tokens = PersonalTokens(
        stores.tokens, stores.users, endings, signer, clock, per_user=settings.personal_tokens_per_user
    )
    invitations = Invitations(stores.invitations, clock)
    accounts = Accounts(
        stores.users,
        Passwords(settings.password_profile),
        sessions,
        endings,
        invitations,
        Attempts(settings.login_failures, settings.redis_url, clock),
        clock,
        registration=settings.registration,
        must_be_verified=settings.email_verification == VERIFICATION_REQUIRED,
    )
    verifier = LiveVerifier(
        TokenVerifier(keys, **names), accounts, sessions, tokens, require_ready=health.require_ready
    )
    app = create_app(
        "auth",
        health=health,
        verifier=verifier,
        trusted_proxies=settings.trusted_proxies,
        otlp_endpoint=settings.otlp_endpoint,
    )
    throttle = Throttle(settings)
    throttle.attach(app)
    administration = Administration(stores.users, endings, clock)
    app.register_blueprint(account_routes(accounts, signer, throttle, health))
    app.register_blueprint(session_routes(sessions, health))
    app.register_blueprint(token_routes(tokens, accounts, health))
    app.register_blueprint(user_routes(administration, health))
    app.register_blueprint(invitation_routes(invitations, health))
    app.register_blueprint(key_routes(keys))
    app.register_error_handler(MongoError, _answer_mongo_error)
    add_openapi(app, title="Option ARO: auth", description="Accounts, sessions, tokens, and the keys behind them.")
    return app


def _endings(settings: AuthSettings, stores: Stores, clock: Clock) -> Endings:
    client = redis_client.connect(settings.redis_url, timeout=REDIS_SECONDS) if settings.redis_url else None
    return Endings(client, stores.sessions, stores.tokens, clock)


def _answer_mongo_error(error: MongoError) -> Response:
    log.warning("mongo does not answer", **{"error.type": type(error).__name__})
    return answer_problem(ServiceUnavailable("the database does not answer; try again in a moment"))
