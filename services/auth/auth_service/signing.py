"""Access tokens, signed with whichever key is current."""

from aro.adapters.clock import Clock
from aro.adapters.tokens import ACCESS_SECONDS, ALL_SCOPES, TokenIssuer
from auth_service.keyring import KeyRing


class Signer:
    def __init__(self, keys: KeyRing, *, issuer: str, audience: str, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock

    def issue(
        self,
        subject: str,
        role: str,
        *,
        session: str,
        lifetime: int = ACCESS_SECONDS,
        scopes: frozenset[str] = ALL_SCOPES,
    ) -> str:
        """`lifetime` in seconds."""
        key = self._keys.current
        issuer = TokenIssuer(key.private, key.kid, issuer=self._issuer, audience=self._audience, clock=self._clock)
        return issuer.issue(subject, role, session=session, lifetime=lifetime, scopes=scopes)
