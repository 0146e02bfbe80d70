"""The synthetic provider: every product's market, ticked together."""

from collections.abc import Sequence

from feed_generator.provider import Batch
from feed_generator.synthetic.markets import market
from feed_generator.synthetic.scenarios import SCENARIOS
from feed_generator.synthetic.trading import Hours, TradedProduct


class SyntheticProvider:
    """Same arguments and same sequence of `now_ms`, same bytes.

    Raises `UnknownProduct` for a name that is not listed and KeyError for an unknown scenario.
    """

    def __init__(self, products: Sequence[str], *, seed: int, scenario: str, exchange_hours: bool) -> None:
        hours = Hours(exchange=exchange_hours)
        self._products = [
            TradedProduct(*market(name), SCENARIOS[scenario], hours, seed) for name in dict.fromkeys(products)
        ]

    def tick(self, now_ms: int) -> Batch:
        batch = Batch()
        for traded in self._products:
            part = traded.tick(now_ms)
            batch.ticks.extend(part.ticks)
            batch.chains.extend(part.chains)
            batch.truths.extend(part.truths)
        return batch
