"""Sessions that have ended: known to every process within a second, and for as long as a token of theirs could live.

Auth adds to a sorted set in Redis and announces on pub/sub; everybody else holds a copy in memory. With Redis away
the copy goes on being used, and `refuse` with `strict` refuses everyone: market data fails open, bounded by the
fifteen minutes of an access token; administration fails closed.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import redis

from aro.adapters.tokens import ACCESS_SECONDS, LEEWAY_SECONDS, Principal
from aro.contracts.names import KEY_REVOKED, PUBSUB_REVOKE
from aro.contracts.problems import ServiceUnavailable, TokenRevoked

log = logging.getLogger(__name__)

MEMORY_SECONDS: Final = ACCESS_SECONDS + 2 * LEEWAY_SECONDS
"""How long an ended session is remembered: the life of an access token that was issued as it ended."""
RELOAD_SECONDS: Final = 5.0
STALE_SECONDS: Final = 15.0
_WAIT_SECONDS: Final = 1.0
_CONFIRM_SECONDS: Final = 2.0


def announce(client: redis.Redis, session: str, *, now: float) -> None:
    """Tell everyone that `session` ended. Repeating it is harmless. `now` is UTC epoch seconds."""
    _announce(client, {session: now + MEMORY_SECONDS}, now)


def announce_again(client: redis.Redis, ended: Mapping[str, float], *, now: float) -> int:
    """Tell what Redis does not know (any more) of `ended`, id → when it ended in UTC epoch seconds; how many."""
    until = {session: at + MEMORY_SECONDS for session, at in ended.items() if at + MEMORY_SECONDS > now}
    if not until:
        return 0
    known: Any = client.zmscore(KEY_REVOKED, list(until))
    missing = {session: until[session] for session, score in zip(until, known, strict=True) if score is None}
    if missing:
        _announce(client, missing, now)
    return len(missing)


def _announce(client: redis.Redis, until: dict[str, float], now: float) -> None:
    pipe = client.pipeline(transaction=True)
    pipe.zadd(KEY_REVOKED, until)
    pipe.zremrangebyscore(KEY_REVOKED, "-inf", now)
    for session in until:
        pipe.publish(PUBSUB_REVOKE, session)
    pipe.execute()


class Revocations:
    """A live copy of the set. `on_revoked` is called with each session that is news, in the thread of `run`."""

    def __init__(self, client: redis.Redis, *, on_revoked: Callable[[str], None] = lambda _: None) -> None:
        self._redis = client
        self._on_revoked = on_revoked
        self._ended: dict[str, float] = {}
        self._loaded_at: float | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self.run, name="revocations", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def refuse(self, principal: Principal, *, strict: bool = False) -> None:
        """Raise `TokenRevoked` if the session behind `principal` has ended, or, if `strict`, `ServiceUnavailable`
        when that cannot be known."""
        if principal.session and principal.session in self._ended:
            raise TokenRevoked("the session behind this access token has ended; log in again")
        if strict and not self.is_current():
            raise ServiceUnavailable("whether this session has ended cannot be known at the moment; try again")

    def is_current(self) -> bool:
        return self._loaded_at is not None and time.monotonic() - self._loaded_at < STALE_SECONDS

    def run(self) -> None:
        """Follow announcements until `stop`; whatever goes wrong is tried again after a second."""
        while not self._stopped.is_set():
            try:
                with self._redis.pubsub() as announcements:  # type: ignore[no-untyped-call]
                    announcements.subscribe(PUBSUB_REVOKE)
                    self._follow(announcements)
            except redis.RedisError:
                self._stopped.wait(_WAIT_SECONDS)
            except Exception:  # a copy that stands still would let ended sessions in without a sign
                log.exception("following revocations failed")
                self._stopped.wait(_WAIT_SECONDS)

    def _follow(self, announcements: redis.client.PubSub) -> None:
        # Subscribed first, read second: what ends in between is announced, if it is not read already.
        confirmation = announcements.get_message(timeout=_CONFIRM_SECONDS)
        if confirmation is None:
            raise redis.TimeoutError("the subscription was not confirmed")
        self._load()
        while not self._stopped.is_set():
            message = announcements.get_message(timeout=_WAIT_SECONDS)
            if message is not None and message["type"] == "message":
                self._learn({_text(message["data"]): time.time() + MEMORY_SECONDS})
            # A subscription that is confirmed once more was lost in between, and announcements with it.
            was_lost = message is not None and message["type"] == "subscribe"
            if was_lost or self._loaded_at is None or time.monotonic() - self._loaded_at > RELOAD_SECONDS:
                self._load()

    def _load(self) -> None:
        found: Any = self._redis.zrangebyscore(KEY_REVOKED, time.time(), "+inf", withscores=True)
        self._learn({_text(member): float(until) for member, until in found})
        self._loaded_at = time.monotonic()

    def _learn(self, sessions: dict[str, float]) -> None:
        """Add to the copy. What Redis lost stays in it until its time is over."""
        news = sessions.keys() - self._ended.keys()
        now = time.time()
        # A new dictionary each time: readers in other threads need no lock.
        self._ended = {name: until for name, until in {**self._ended, **sessions}.items() if until > now}
        for session in news:
            self._on_revoked(session)


def _text(member: bytes) -> str:
    return member.decode(errors="replace")
