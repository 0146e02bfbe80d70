"""Chains of a whole market, made by the synthetic feed before anything is timed: only numbers and times are written
into them as they leave."""

import time
from datetime import date, timedelta
from itertools import count
from typing import Any

import msgspec

from aro.contracts.codec import encode_message
from aro.contracts.market import ChainSnapshot, Quotes
from aro.contracts.names import FIELD_MESSAGE, STREAM_CHAINS
from aro.contracts.products import PRODUCTS
from feed_generator.synthetic import trading
from feed_generator.synthetic.provider import SyntheticProvider

STATES = 2
"""Snapshots of each chain that are taken in turn."""
_WIDE = 1 << 40
"""Any number that msgpack writes with nine bytes, as it does those that take its place."""


def snapshots(series: int, strikes: int, *, now_ms: int) -> list[ChainSnapshot]:
    """`STATES` snapshots of `series` chains of so many strikes each, first one of each, then the next.

    The feed has fewer products than an exchange, so its chains come back under later expiry labels, each time a second
    older: no two are the same.
    """
    trading.STRIKES_EACH_SIDE = (strikes + 1) // 2
    provider = SyntheticProvider(list(PRODUCTS), seed=7, scenario="calm", exchange_hours=False)
    seconds = count()
    found: list[ChainSnapshot] = []
    for _ in range(STATES):
        state: list[ChainSnapshot] = []
        for turn in count():
            chains = provider.tick(now_ms + 1_000 * next(seconds)).chains
            state += [_relabelled(_cut(chain, strikes), turn) for chain in chains]
            if len(state) >= series:
                break
        found += state[:series]
    return found


def _relabelled(chain: ChainSnapshot, turn: int) -> ChainSnapshot:
    label = date.fromisoformat(chain.expiry) + timedelta(days=1_000 * turn)
    return msgspec.structs.replace(chain, expiry=label.isoformat())


def _cut(chain: ChainSnapshot, strikes: int) -> ChainSnapshot:
    def side(quotes: Quotes) -> Quotes:
        columns: dict[str, Any] = {name: getattr(quotes, name)[:strikes] for name in quotes.__struct_fields__}
        return Quotes(**columns)

    return msgspec.structs.replace(
        chain, strikes=chain.strikes[:strikes], calls=side(chain.calls), puts=side(chain.puts)
    )


class Entries:
    """``XADD`` commands as bytes, ready but for `source_seq` and `source_ts`."""

    def __init__(self, chains: list[ChainSnapshot]) -> None:
        self._parts = [_parts(chain) for chain in chains]
        self.contracts = 2 * len(chains[0].strikes)
        self._next = 0

    @property
    def position(self) -> int:
        """Of the next command, in the list of chains."""
        return self._next

    def take(self, seq: int) -> bytes:
        """The next command, numbered `seq`, of this very moment."""
        parts = self._parts[self._next]
        self._next = (self._next + 1) % len(self._parts)
        now_ms = time.time_ns() // 1_000_000
        return b"".join((parts[0], seq.to_bytes(8, "big"), parts[1], now_ms.to_bytes(8, "big"), parts[2]))


def _parts(chain: ChainSnapshot) -> tuple[bytes, bytes, bytes]:
    message = encode_message(msgspec.structs.replace(chain, source_seq=_WIDE, source_ts=_WIDE))
    words = (b"XADD", STREAM_CHAINS.encode(), b"*", FIELD_MESSAGE.encode(), message)
    command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    before, between, after = command.split(_WIDE.to_bytes(8, "big"))
    return before, between, after
