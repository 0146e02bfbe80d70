"""What administrators do to accounts: verify, give roles, disable and enable; by route and by command."""

import uuid

from aro.adapters.clock import Clock
from aro.adapters.tokens import ROLE_ADMIN, ROLE_USER, SCOPE_ADMIN
from aro.adapters.user_store import User, UserStore
from aro.contracts.problems import Conflict, NotFound
from aro.runtime.logs import get_logger
from auth_service.endings import Endings

log = get_logger(__name__)


class Administration:
    def __init__(self, users: UserStore, endings: Endings, clock: Clock) -> None:
        self._users = users
        self._endings = endings
        self._clock = clock

    def page(self, *, after: str, limit: int) -> tuple[list[User], str | None]:
        """(accounts in the order of their e-mails, the `after` of the next page if there is one)."""
        found = self._users.page(after=after, limit=limit + 1)
        return found[:limit], found[limit - 1].email if len(found) > limit else None

    def find(self, user_id: str) -> User:
        """Raises `NotFound`."""
        return _known(self._users.by_id(user_id))

    def change(
        self,
        user_id: str,
        *,
        role: str | None = None,
        is_verified: bool | None = None,
        is_disabled: bool | None = None,
        by: str,
    ) -> User:
        """Change what is not None. `by` is the administrator's own account, or `MADE_BY_COMMAND`.

        Losing the role ends sessions and the personal tokens that had its scope; being disabled ends all of both.
        Raises `NotFound`; `Conflict` for one's own account.
        """
        user = self.find(user_id)
        if user_id == by and (is_disabled or role not in (None, user.role)):
            raise Conflict("nobody can take the role from, or disable, the own account")
        if is_verified:
            user = _known(self._users.set_verified(user_id, self._clock.now_ms()))
        if role is not None and role != user.role:
            user = self._set_role(user, role)
        if is_disabled is not None and is_disabled != (user.disabled_ts is not None):
            user = self._set_disabled(user, is_disabled)
        log.info("account changed", **{"event.action": "user_updated", "user.id": by, "user.target.id": user_id})
        return user

    def create_admin(self, email: str, password_hash: str) -> User:
        """A verified account with the role admin. Raises `Conflict` if the e-mail has an account."""
        return self._create(email, password_hash, ROLE_ADMIN)

    def create_user(self, email: str, password_hash: str) -> User:
        """A verified account without a role to speak of. Raises `Conflict` if the e-mail has an account."""
        return self._create(email, password_hash, ROLE_USER)

    def _create(self, email: str, password_hash: str, role: str) -> User:
        now_ms = self._clock.now_ms()
        user = User(
            id=uuid.uuid4().hex,
            email=email,
            password_hash=password_hash,
            password_ts=now_ms,
            role=role,
            created_ts=now_ms,
            verified_ts=now_ms,
        )
        self._users.add(user)
        return user

    def reset_password(self, user_id: str, password_hash: str) -> None:
        """All sessions of the account end."""
        self._users.set_password(user_id, password_hash, now_ms=self._clock.now_ms())
        self._endings.end_sessions(user_id, "password_changed")

    def _set_role(self, user: User, role: str) -> User:
        changed = _known(self._users.set_role(user.id, role))
        if user.role == ROLE_ADMIN:
            self._endings.revoke_tokens(user.id, with_scope=SCOPE_ADMIN)
            self._endings.end_sessions(user.id, "role_changed")
        return changed

    def _set_disabled(self, user: User, is_disabled: bool) -> User:
        changed = _known(self._users.set_disabled(user.id, self._clock.now_ms() if is_disabled else None))
        if is_disabled:
            self._endings.revoke_tokens(user.id)
            self._endings.end_sessions(user.id, "disabled")
        return changed


def _known(user: User | None) -> User:
    if user is None:
        raise NotFound("there is no such account")
    return user
