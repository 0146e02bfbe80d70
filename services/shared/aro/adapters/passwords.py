"""argon2id hashes of passwords, with bounded memory and no hint about which accounts exist."""

import threading
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 128

# OWASP Password Storage Cheat Sheet, argon2id minimum: 19 MiB, 2 passes, 1 lane; 41 ms on a small core.
OWASP_MEMORY_KIB: Final = 19_456
OWASP_PASSES: Final = 2
OWASP_LANES: Final = 1

CONCURRENT_HASHES: Final = 2
"""19 MiB each: more at once would not fit a small pod, and two cores gain nothing from it."""


class Passwords:
    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=OWASP_PASSES, memory_cost=OWASP_MEMORY_KIB, parallelism=OWASP_LANES, type=Type.ID
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
        return self._hasher.check_needs_rehash(stored)
