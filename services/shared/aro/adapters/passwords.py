"""argon2id hashes of passwords, with bounded memory and no hint about which accounts exist."""

import threading
from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 128

CONCURRENT_HASHES: Final = 2
"""Up to 64 MiB each: more at once would not fit a small pod, and two cores gain nothing from it."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What one guess costs."""

    memory_kib: int
    passes: int
    lanes: int


OWASP_MINIMUM: Final = "owasp-minimum"
RFC9106_LOW_MEMORY: Final = "rfc9106-low-memory"
PROFILES: Final = {
    # OWASP Password Storage Cheat Sheet, argon2id minimum; 41 ms on a small core.
    OWASP_MINIMUM: Profile(memory_kib=19_456, passes=2, lanes=1),
    # RFC 9106 §4, second recommended option.
    RFC9106_LOW_MEMORY: Profile(memory_kib=65_536, passes=3, lanes=4),
}


class Passwords:
    """Makes hashes of the profile called `profile`, and verifies those of any."""

    def __init__(self, profile: str = OWASP_MINIMUM) -> None:
        cost = PROFILES[profile]
        self._hasher = PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes, type=Type.ID
        )
        self._slots = threading.BoundedSemaphore(CONCURRENT_HASHES)
        self._decoy = self._hasher.hash("a decoy that equals nobody's password")

    def hash(self, password: str) -> str:
        with self._slots:
            return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """`stored` None (unknown account) takes as long as a wrong password."""
        with self._slots:
            try:
                matches = self._hasher.verify(stored or self._decoy, password)
            except (VerificationError, InvalidHashError):
                return False
        return matches and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored` was made with another profile than this one's."""
        return self._hasher.check_needs_rehash(stored)
