"""Who may connect, and for how long: tokens at the handshake and on a living connection."""

from typing import Any, Final

from aro.adapters.clock import Clock
from aro.adapters.revocations import Revocations
from aro.adapters.tokens import SCOPE_READ, Principal, TokenVerifier
from aro.contracts.problems import Forbidden, NotAuthenticated, TokenExpired, TokenMissing
from socket_gateway.clients import Client
from socket_gateway.deadlines import Deadline, Deadlines

WARN_SECONDS: Final = 60
"""How long before its token expires a client is asked for a new one."""
GRACE_SECONDS: Final = 25
"""How long after its token expired a socket may live on; Centrifugo's default."""


class Admission:
    def __init__(self, verifier: TokenVerifier, revocations: Revocations, deadlines: Deadlines, clock: Clock) -> None:
        self._verifier = verifier
        self._revocations = revocations
        self._deadlines = deadlines
        self._clock = clock

    def verify(self, token: str) -> Principal:
        """Raises as `TokenVerifier.verify`, `Forbidden` or `TokenRevoked`. May fetch keys: other greenlets may run."""
        principal = self._verifier.verify(token)
        if (principal.expires_at + GRACE_SECONDS) * 1000 <= self._clock.now_ms():
            raise TokenExpired("the access token has expired")
        if SCOPE_READ not in principal.scopes:
            raise Forbidden(f"this needs a token with the scope {SCOPE_READ}")
        # Last, and without a yield before the socket is admitted: a session that ends later finds its socket.
        self._revocations.refuse(principal)
        return principal

    def watch(self, client: Client, principal: Principal) -> None:
        """Have the client warned, and closed, in time before and after this token expires."""
        expires_at = principal.expires_at
        warn_at, close_at = expires_at - WARN_SECONDS, expires_at + GRACE_SECONDS
        self._deadlines.add(Deadline(warn_at * 1000, client.engine_id, "expiring", expires_at))
        self._deadlines.add(Deadline(close_at * 1000, client.engine_id, "expired", expires_at))

    def renew(self, client: Client, token: str) -> Principal:
        """Replace the token of an admitted client. Raises `Forbidden` if it is another account's."""
        principal = self.verify(token)
        if client.principal is None or principal.subject != client.principal.subject:
            raise Forbidden("the new token belongs to another account")
        # The same token, or one as old, shown again and again: its deadlines are set already.
        is_news = principal.expires_at != client.principal.expires_at
        client.principal = principal
        if is_news:
            self.watch(client, principal)
        return principal


def token_of(auth: Any) -> str:
    """The token in Socket.IO's ``auth``. Raises `TokenMissing` or `NotAuthenticated`."""
    token = auth.get("token") if isinstance(auth, dict) else None
    if token is None or token == "":
        raise TokenMissing("connect with auth: {token: <access token>}")
    if not isinstance(token, str):
        raise NotAuthenticated("the access token must be a string")
    return token
