"""What can be done with an account: register, log in, look up."""

import uuid
from typing import Final

from aro.adapters.clock import Clock
from aro.adapters.passwords import Passwords
from aro.adapters.tokens import TokenIssuer
from aro.adapters.user_store import User, UserStore
from aro.contracts.problems import BadCredentials, Conflict, NotAuthenticated
from aro.runtime.logs import get_logger
from auth_service import metrics

log = get_logger(__name__)

ROLE_USER: Final = "user"


class Accounts:
    """E-mails and passwords come in normalised, see `auth_service.credentials`."""

    def __init__(self, users: UserStore, passwords: Passwords, tokens: TokenIssuer, clock: Clock) -> None:
        self._users = users
        self._passwords = passwords
        self._tokens = tokens
        self._clock = clock

    def register(self, email: str, password: str) -> User:
        """Raises `Conflict` if the e-mail has an account."""
        try:
            return self._register(email, password)
        except Conflict:
            metrics.registrations.labels("conflict").inc()
            raise

    def login(self, email: str, password: str) -> str:
        """An access token. Raises `BadCredentials`, after the same time and with the same words for either reason."""
        user = self._users.by_email(email)
        if not self._passwords.verify(user.password_hash if user else None, password) or user is None:
            metrics.logins.labels("refused").inc()
            log.warning("login refused", **{"event.action": "authn_login_fail"})
            raise BadCredentials("the e-mail or the password is wrong")
        metrics.logins.labels("ok").inc()
        log.info("login", **{"event.action": "authn_login_success", "user.id": user.id})
        return self._tokens.issue(user.id, user.role)

    def find(self, user_id: str) -> User:
        """Raises `NotAuthenticated` if the account is gone, which its token cannot know."""
        user = self._users.by_id(user_id)
        if user is None:
            raise NotAuthenticated("the account of this access token does not exist any more")
        return user

    def _register(self, email: str, password: str) -> User:
        if self._users.by_email(email) is not None:
            raise Conflict("an account with this e-mail exists already")
        user = User(
            id=uuid.uuid4().hex,
            email=email,
            password_hash=self._passwords.hash(password),
            role=ROLE_USER,
            created_ts=self._clock.now_ms(),
        )
        self._users.add(user)
        metrics.registrations.labels("ok").inc()
        log.info("registered", **{"event.action": "user_created", "user.id": user.id})
        return user
