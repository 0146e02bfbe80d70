"""Auth's own guard: it asks MongoDB, where others hold a copy of what ended."""

from collections.abc import Callable

from aro.adapters.tokens import Principal, TokenVerifier
from aro.contracts.problems import TokenRevoked
from auth_service.accounts import Accounts
from auth_service.personal_tokens import PersonalTokens
from auth_service.sessions import Sessions


class LiveVerifier:
    """A verifier whose principals have an account that is enabled and a session that has not ended."""

    def __init__(
        self,
        verifier: TokenVerifier,
        accounts: Accounts,
        sessions: Sessions,
        tokens: PersonalTokens,
        *,
        require_ready: Callable[[], None],
    ) -> None:
        self._verifier = verifier
        self._accounts = accounts
        self._sessions = sessions
        self._tokens = tokens
        self._require_ready = require_ready

    def verify(self, token: str) -> Principal:
        """As `TokenVerifier.verify`. Raises `TokenRevoked` and, with MongoDB away, `ServiceUnavailable` too."""
        principal = self._verifier.verify(token)
        self._require_ready()
        user = self._accounts.find(principal.subject)
        if user.disabled_ts is not None:
            raise TokenRevoked("this account was disabled by an administrator")
        if not self._is_live(principal):
            raise TokenRevoked("the session behind this access token has ended; log in again")
        return principal

    def _is_live(self, principal: Principal) -> bool:
        """A session is a log-in's, or the personal token that an access token was exchanged for."""
        session, subject = principal.session, principal.subject
        return self._sessions.is_live(session, subject) or self._tokens.is_live(session, subject)
