"""The keys of a running service: what it signs with and what it publishes, followed on disk without a restart."""

import threading
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aro.adapters.clock import Clock
from aro.adapters.tokens import to_jwk
from aro.runtime.logs import get_logger
from auth_service.keys import KeyFiles, KeyUnusable, SigningKey, load, signature

log = get_logger(__name__)

LOOK_SECONDS: Final = 1.0


class KeyRing:
    """Looks at the directory at most once a second, when it is used. A `KeySource` of access tokens."""

    def __init__(self, directory: Path, clock: Clock, group: int | None = None) -> None:
        """Raises `KeyUnusable`."""
        self._directory = directory
        self._group = group
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = signature(directory)
        self._files = load(directory, group)
        self._looked_at = clock.monotonic()

    @property
    def current(self) -> SigningKey:
        return self._follow().current

    def find(self, kid: str) -> Ed25519PublicKey | None:
        return self._published().get(kid)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        return {"keys": [to_jwk(kid, key) for kid, key in self._published().items()]}

    def _published(self) -> dict[str, Ed25519PublicKey]:
        return self._follow().published(self._clock.now_ms() / 1000)

    def _follow(self) -> KeyFiles:
        # Whoever finds another thread looking goes on with what is known.
        if self._clock.monotonic() - self._looked_at >= LOOK_SECONDS and self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()
        return self._files

    def _look(self) -> None:
        self._looked_at = self._clock.monotonic()
        try:
            seen = signature(self._directory)
            if seen == self._seen:
                return
            self._seen = seen
            self._files = load(self._directory, self._group)
        except (KeyUnusable, OSError) as error:
            log.error("the key directory cannot be used; the keys at hand are kept", error=str(error))
        else:
            log.info("keys loaded", **{"key.id": self._files.current.kid})
