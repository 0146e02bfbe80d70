"""What every source of market data offers: one batch of messages per tick."""

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from aro.contracts.market import ChainSnapshot, UnderlyingTick

UNNUMBERED: Final = 0
"""`source_seq` of a message that left its provider; the publisher numbers it."""


class FeedError(Exception):
    """The feed cannot run as asked. The text is one line for a person."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One tick's messages. `truths` parallels `chains`, or is empty where the truth is not known."""

    ticks: list[UnderlyingTick] = field(default_factory=list)
    chains: list[ChainSnapshot] = field(default_factory=list)
    truths: list[dict[str, Any]] = field(default_factory=list)


class Provider(Protocol):
    def tick(self, now_ms: int) -> Batch:
        """The state at `now_ms` (UTC epoch milliseconds); empty while nothing is traded.

        The result depends on nothing but the provider's construction and the sequence of `now_ms` so far.
        """
