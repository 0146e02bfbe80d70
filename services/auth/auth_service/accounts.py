"""What can be done with an account: register, log in, look up, choose another password."""

import uuid
from typing import Final

from aro.adapters.clock import Clock
from aro.adapters.invitation_store import Invitation
from aro.adapters.passwords import Passwords
from aro.adapters.tokens import ROLE_USER
from aro.adapters.user_store import User, UserStore
from aro.contracts.problems import (
    AccountDisabled,
    AccountUnverified,
    BadCredentials,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotAuthenticated,
)
from aro.runtime.logs import get_logger
from auth_service import metrics
from auth_service.attempts import Attempts
from auth_service.credentials import Unacceptable, checked_password
from auth_service.endings import Endings
from auth_service.invitations import Invitations
from auth_service.sessions import Opened, Sessions, Visitor
from auth_service.settings import REGISTRATION_CLOSED, REGISTRATION_INVITE

log = get_logger(__name__)

EXISTS: Final = "an account with this e-mail exists already"


class Accounts:
    """E-mails and passwords come in normalised, see `auth_service.credentials`."""

    def __init__(
        self,
        users: UserStore,
        passwords: Passwords,
        sessions: Sessions,
        endings: Endings,
        invitations: Invitations,
        attempts: Attempts,
        clock: Clock,
        *,
        registration: str,
        must_be_verified: bool,
    ) -> None:
        self._users = users
        self._passwords = passwords
        self._sessions = sessions
        self._endings = endings
        self._invitations = invitations
        self._attempts = attempts
        self._clock = clock
        self._registration = registration
        self._must_be_verified = must_be_verified

    def register(self, email: str, password: str, invitation: str | None) -> User:
        """Raises `Conflict` if the e-mail has an account, `Forbidden` if it may not register."""
        try:
            user = self._register(email, password, invitation)
        except Conflict:
            metrics.registrations.labels("conflict").inc()
            raise
        except Forbidden:
            metrics.registrations.labels("refused").inc()
            raise
        metrics.registrations.labels("ok").inc()
        log.info("registered", **{"event.action": "user_created", "user.id": user.id})
        return user

    def login(self, email: str, password: str, visitor: Visitor) -> tuple[User, Opened]:
        """A new session.

        Raises
        ------
        BadCredentials
            After the same time and in the same words for an unknown account and for a wrong password.
        AccountUnverified, AccountDisabled
            Only for the right password.
        RateLimited
            After too many wrong ones, also for the right one.
        """
        with self._attempts.counted(email):
            user = self._authenticated(email, password)
        if user.disabled_ts is not None:
            metrics.logins.labels("disabled").inc()
            raise AccountDisabled("this account was disabled by an administrator")
        if self._must_be_verified and user.verified_ts is None:
            metrics.logins.labels("unverified").inc()
            raise AccountUnverified("an administrator has to verify this account first")
        opened = self._sessions.open(user.id, visitor)
        user = self._confirmed(user, opened)
        metrics.logins.labels("ok").inc()
        log.info("login", **{"event.action": "authn_login_success", "user.id": user.id})
        return user, opened

    def refresh(self, refresh_token: str, visitor: Visitor) -> tuple[User, Opened]:
        """Raises as `Sessions.refresh` does; `TokenRevoked` if the account is gone or disabled."""
        opened = self._sessions.refresh(refresh_token, visitor)
        user = self._users.by_id(opened.session.user_id)
        if user is None or user.disabled_ts is not None:
            self._endings.end_session(opened.session.id, "disabled")
            raise NotAuthenticated("the account of this session cannot be used any more")
        return user, opened

    def find(self, user_id: str) -> User:
        """Raises `NotAuthenticated` if the account is gone, which its token cannot know."""
        user = self._users.by_id(user_id)
        if user is None:
            raise NotAuthenticated("the account of this access token does not exist any more")
        return user

    def change_password(self, user_id: str, current: str, new: str, *, session: str) -> None:
        """All sessions of the account but `session` end. Personal tokens stay.

        Raises
        ------
        InvalidRequest
            Naming the field that is wrong or not good enough.
        Conflict
            If the password was changed by somebody else in this moment.
        RateLimited
            After too many wrong ones, here or at logins.
        """
        user = self.find(user_id)
        try:
            chosen = checked_password(new, user.email)
        except Unacceptable as error:
            raise InvalidRequest("not valid: new_password", errors={"new_password": [str(error)]}) from None
        with self._attempts.counted(user.email):
            if not self._passwords.verify(user.password_hash, current):
                raise InvalidRequest("not valid: current_password", errors={"current_password": ["Not your password."]})
        made = self._passwords.hash(chosen)
        if not self._users.set_password(user.id, made, now_ms=self._clock.now_ms(), chosen_ts=user.password_ts):
            raise Conflict("the password was changed meanwhile")
        self._endings.end_sessions(user.id, "password_changed", but=(session,))
        log.info("password changed", **{"event.action": "authn_password_change", "user.id": user.id})

    def _register(self, email: str, password: str, text: str | None) -> User:
        if self._registration == REGISTRATION_CLOSED:
            raise Forbidden("registration is closed")
        if self._registration == REGISTRATION_INVITE and text is None:
            raise Forbidden("registration needs an invitation")
        invitation = None if text is None else self._invitations.usable(text, email)
        if self._users.by_email(email) is not None:
            raise Conflict(EXISTS)
        now_ms = self._clock.now_ms()
        user = User(
            id=uuid.uuid4().hex,
            email=email,
            password_hash=self._passwords.hash(password),
            password_ts=now_ms,
            role=ROLE_USER,
            created_ts=now_ms,
            # Who invited this very address has vouched for it.
            verified_ts=now_ms if invitation is not None and invitation.email == email else None,
        )
        self._add(user, invitation)
        return user

    def _add(self, user: User, invitation: Invitation | None) -> None:
        if invitation is None:
            self._users.add(user)
            return
        self._invitations.claim(invitation, user.email, user.id)
        try:
            self._users.add(user)
        except Conflict:
            self._invitations.release(invitation, user.id)
            raise

    def _authenticated(self, email: str, password: str) -> User:
        user = self._users.by_email(email)
        if not self._passwords.verify(user.password_hash if user else None, password) or user is None:
            raise _bad_credentials()
        if self._passwords.needs_rehash(user.password_hash):
            self._users.rehash(user.id, old=user.password_hash, new=self._passwords.hash(password))
        return user

    def _confirmed(self, user: User, opened: Opened) -> User:
        """`user` as it is now: what ends all sessions of an account may have run just before this one was stored."""
        now = self._users.by_id(user.id)
        if now is None or now.disabled_ts is not None or now.password_ts != user.password_ts:
            self._endings.end_session(opened.session.id, "disabled")
            raise _bad_credentials()
        return now


def _bad_credentials() -> BadCredentials:
    metrics.logins.labels("refused").inc()
    log.warning("login refused", **{"event.action": "authn_login_fail"})
    return BadCredentials("the e-mail or the password is wrong")
