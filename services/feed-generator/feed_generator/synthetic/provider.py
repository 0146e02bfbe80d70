"""The synthetic provider: every product's market, ticked together or in turns."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from feed_generator.provider import Batch
from feed_generator.synthetic.markets import market
from feed_generator.synthetic.scenarios import SCENARIOS
from feed_generator.synthetic.trading import Hours, TradedProduct


class SyntheticProvider:
    """Same arguments and same sequence of `now_ms`, same bytes. Truths cost a sixth of a tick and may be left out.

    Raises `UnknownProduct` for a name that is not listed and KeyError for an unknown scenario.
    """

    def __init__(
        self, products: Sequence[str], *, seed: int, scenario: str, exchange_hours: bool, with_truths: bool = True
    ) -> None:
        self._names = tuple(dict.fromkeys(products))
        self._hours = Hours(exchange=exchange_hours)
        self._scenario = SCENARIOS[scenario]
        self._seed = seed
        self._with_truths = with_truths
        self._turns, self._turn = 1, 0
        self._products = self._open({})

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    def start_from(self, levels: Mapping[str, float]) -> None:
        """Start over, from `levels` of the underlying where given; the seed's path is the same."""
        self._products = self._open(levels)

    def take_turns(self, most: int) -> int:
        """From now on each tick is of the next of several groups of products, as exchanges do not send all at one
        moment either; how many groups there are, at most `most`."""
        self._turns = max(1, min(most, len(self._names)))
        return self._turns

    def _open(self, levels: Mapping[str, float]) -> list[TradedProduct]:
        opened = []
        for name in self._names:
            listed, calm = market(name)
            started = replace(calm, spot=levels.get(name, calm.spot))
            traded = TradedProduct(
                listed, started, self._scenario, self._hours, self._seed, with_truths=self._with_truths
            )
            opened.append(traded)
        return opened

    def tick(self, now_ms: int) -> Batch:
        batch = Batch()
        group, self._turn = self._products[self._turn :: self._turns], (self._turn + 1) % self._turns
        for traded in group:
            part = traded.tick(now_ms)
            batch.ticks.extend(part.ticks)
            batch.chains.extend(part.chains)
            batch.truths.extend(part.truths)
        return batch
