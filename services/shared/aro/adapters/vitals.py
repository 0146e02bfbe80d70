"""Where processes say how they are: a value for each that expires unless it is said again, and a set of their names.

Whoever is not heard for `KEPT_SECONDS` is gone, by Redis' clock alone. A Redis that lost everything knows everybody
again as soon as they have spoken.
"""

from typing import Any, Final

import redis

from aro.contracts.names import KEY_VITALS, vitals_key

EVERY_SECONDS: Final = 2.0
KEPT_SECONDS: Final = 7
"""Three reports may be lost or late."""


class VitalsStore:
    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def report(self, instance: str, vitals: bytes) -> None:
        pipe = self._redis.pipeline(transaction=False)
        pipe.sadd(KEY_VITALS, instance)
        pipe.set(vitals_key(instance), vitals, ex=KEPT_SECONDS)
        pipe.execute()

    def all(self) -> dict[str, bytes]:
        """What each instance said last. Those that are gone are forgotten."""
        members: Any = self._redis.smembers(KEY_VITALS)
        names = sorted(member.decode() for member in members)
        if not names:
            return {}
        values: Any = self._redis.mget([vitals_key(name) for name in names])
        heard = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        gone = [name for name in names if name not in heard]
        if gone:
            # One that speaks at this very moment is back with its next word.
            self._redis.srem(KEY_VITALS, *gone)
        return heard
