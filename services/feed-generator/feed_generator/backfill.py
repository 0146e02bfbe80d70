"""History for a demo: past snapshots of a synthetic market that leads up to the present one, through the real pipeline.

They are numbered by their own past instants, so they neither disturb the live stream (whose numbers are newer) nor are
stored twice when the same stretch is filled again.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from aro.adapters import redis_client
from aro.adapters.clock import Clock
from aro.adapters.ledger import Ledger
from aro.runtime.logs import get_logger
from feed_generator.continuity import last_prices
from feed_generator.feed import Feed
from feed_generator.numbering import SourceSequences
from feed_generator.outbox import Outbox
from feed_generator.provider import FeedError
from feed_generator.settings import FeedSettings
from feed_generator.synthetic.markets import MOST_EXPIRIES, market, universe_names
from feed_generator.synthetic.provider import SyntheticProvider

log = get_logger(__name__)

MOST_OWED: Final = 500
"""Entries the ledger may owe before filling goes on: the live stream shares it and comes first."""
WAIT_SECONDS: Final = 0.02
DRAIN_SECONDS: Final = 300.0


def backfill(settings: FeedSettings, clock: Clock) -> int:
    """Fill the last `settings.backfill` seconds in steps of `settings.interval`; how many messages were sent.

    Returns when the pipeline has worked off all of them. Raises `FeedError` if it does not.
    """
    client = redis_client.connect(settings.redis_url)
    step_ms = round(settings.interval * 1000)
    end_ms = clock.now_ms() // step_ms * step_ms
    instants = range(end_ms - settings.backfill * 1000, end_ms, step_ms)
    outbox = Outbox(capacity=1_000_000)
    provider = SyntheticProvider(
        settings.products or universe_names(settings.universe),
        seed=settings.seed,
        scenario=settings.scenario,
        exchange_hours=settings.hours == "exchange",
        with_truths=False,
    )
    provider.start_from(_levels(provider, last_prices(client, provider.names), instants))
    feed = Feed(provider, SourceSequences({}), outbox)
    ledger = Ledger(client)
    sent = 0
    for instant in instants:
        feed.tick(instant)
        entries = [(entry.stream, entry.message) for entry in outbox.take(len(outbox))]
        _wait_until_below(ledger, MOST_OWED)
        ledger.append(entries)
        sent += len(entries)
    _wait_until_below(ledger, _live_entries(provider.names))
    log.info("back-filled", messages=sent, seconds=settings.backfill)
    return sent


def _levels(provider: SyntheticProvider, present: Mapping[str, float], instants: Iterable[int]) -> dict[str, float]:
    """Levels from which the same random path ends at the present prices: it is multiplicative, so a rehearsal tells."""
    ends: dict[str, float] = {}
    for instant in instants:
        ends.update({tick.product: tick.price for tick in provider.tick(instant).ticks})
    return {name: market(name)[1].spot * price / ends[name] for name, price in present.items() if name in ends}


def _live_entries(names: Sequence[str]) -> int:
    """What a live feed beside this one keeps in the ledger for a moment each tick: a tick and chains per product."""
    return len(names) * (1 + MOST_EXPIRIES) + 1


def _wait_until_below(ledger: Ledger, owed: int) -> None:
    deadline = time.monotonic() + DRAIN_SECONDS
    while max(ledger.lengths().values()) >= owed:
        if time.monotonic() > deadline:
            raise FeedError("nobody works off the ledger; is worker-enricher running?")
        time.sleep(WAIT_SECONDS)
