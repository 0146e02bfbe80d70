"""What can be asked about stored chains, metrics and ticks."""

from typing import Any, NamedTuple

from aro.adapters.chain_store import ChainStore, StoredChain
from aro.adapters.clock import Clock, utc
from aro.adapters.paging import Page
from aro.adapters.tick_store import TickStore
from aro.contracts.analytics import ChainMetrics, EnrichedTick
from aro.contracts.calendars import local_day
from aro.contracts.problems import NotFound, UnknownExpiry
from aro.contracts.products import PRODUCTS, Product, product
from aro.runtime.queries import SpanRule, resolve
from storage_service import spans
from storage_service.answers import ExpiryEntry, ExpiryList, ProductList, ProductTerms

Query = dict[str, Any]


class Stretch(NamedTuple):
    """What a page is of; both ends included, UTC epoch milliseconds. `expiry` is None for ticks."""

    product: str
    expiry: str | None
    from_ts: int
    to_ts: int


class Reader:
    """`query` arguments are what the schemas made of a request; `as_of` is UTC epoch milliseconds, None for now.

    All raise `UnknownProduct` and `UnknownExpiry`; `NotFound` says that retention took what was there at an instant.
    """

    def __init__(self, chains: ChainStore, ticks: TickStore, clock: Clock) -> None:
        self._chains = chains
        self._ticks = ticks
        self._clock = clock

    # --- states ----------------------------------------------------------------------------

    def products(self) -> ProductList:
        stored = self._chains.products()
        return ProductList(products=[self._describe(item, has_data=item.name in stored) for item in PRODUCTS.values()])

    def expiries(self, name: str, as_of: int | None) -> ExpiryList:
        """Every expiry with data, nearest first; those that are over are flagged."""
        known = product(name).name
        found = self._chains.expiries(known) if as_of is None else self._chains.expiries_at(known, as_of)
        now = self._clock.now_ms() if as_of is None else as_of
        entries = [ExpiryEntry(**item, expired=item["expiry_ts"] <= now) for item in found]
        return ExpiryList(product=known, expiries=sorted(entries, key=lambda entry: (entry.expiry_ts, entry.expiry)))

    def chain(self, name: str, expiry: str | None, as_of: int | None) -> bytes:
        chosen = self._expiry(name, expiry, as_of)
        found = self._chains.latest(name, chosen) if as_of is None else self._chains.chain_at(name, chosen, as_of)
        if found is None:
            raise self._missing("chain", name, chosen, as_of)
        return found

    def metrics(self, name: str, expiry: str | None, as_of: int | None) -> ChainMetrics:
        chosen = self._expiry(name, expiry, as_of)
        if as_of is None:
            found = self._chains.latest_metrics(name, chosen)
        else:
            found = self._chains.metrics_at(name, chosen, as_of)
        if found is None:
            raise self._missing("metrics", name, chosen, as_of)
        return found

    def tick(self, name: str, as_of: int | None) -> EnrichedTick:
        found = self._ticks.tick_at(product(name).name, self._clock.now_ms() if as_of is None else as_of)
        if found is None:
            raise NotFound(f"no tick of {name} is kept of that time")
        return found

    # --- history ---------------------------------------------------------------------------

    def chain_history(self, name: str, query: Query) -> tuple[Stretch, Page[StoredChain]]:
        return self._chain_pages(name, query, spans.CHAINS, self._chains.chains)

    def metrics_history(self, name: str, query: Query) -> tuple[Stretch, Page[ChainMetrics]]:
        return self._chain_pages(name, query, spans.METRICS, self._chains.metrics)

    def tick_history(self, name: str, query: Query) -> tuple[Stretch, Page[EnrichedTick]]:
        stretch = self._stretch(product(name).name, None, query, spans.TICKS)
        return stretch, self._ticks.ticks(name, **_page(stretch, query))

    def _chain_pages(self, name: str, query: Query, rule: SpanRule, read: Any) -> tuple[Stretch, Any]:
        expiry = self._expiry(name, query["expiry"], None)
        stretch = self._stretch(name, expiry, query, rule)
        return stretch, read(name, expiry, **_page(stretch, query))

    def _stretch(self, name: str, expiry: str | None, query: Query, rule: SpanRule) -> Stretch:
        span = resolve(query, rule, now_ms=self._clock.now_ms())
        return Stretch(name, expiry, span.start_ms, span.end_ms)

    # --- which expiry ----------------------------------------------------------------------

    def _expiry(self, name: str, asked: str | None, as_of: int | None) -> str:
        """`asked` if it ever had data; without it the nearest one that has data and is not over."""
        known = product(name).name
        if asked is not None:
            if self._chains.has_expiry(known, asked):
                return asked
            raise UnknownExpiry(f"{known} has no data for {asked}")
        now = self._clock.now_ms() if as_of is None else as_of
        for item in sorted(self._chains.expiries(known), key=lambda item: (item["expiry_ts"], item["expiry"])):
            if item["expiry_ts"] > now and (as_of is None or self._chains.expiry_at(known, item["expiry"], as_of)):
                return str(item["expiry"])
        raise UnknownExpiry(f"{name} has no data for any expiry that is not over")

    def _missing(self, what: str, name: str, expiry: str, as_of: int | None) -> Exception:
        if as_of is None or self._chains.expiry_at(name, expiry, as_of) is not None:
            return NotFound(f"the {what} of {name} {expiry} at that time is not kept any more")
        return UnknownExpiry(f"{name} had no data for {expiry} at that time")

    def _describe(self, item: Product, *, has_data: bool) -> ProductTerms:
        terms = item.terms(local_day(item, utc(self._clock.now_ms())))
        return ProductTerms(
            product=item.name,
            description=item.description,
            exchange=item.exchange,
            currency=item.currency,
            timezone=item.timezone,
            exercise_style=item.exercise_style,
            contract_size=terms.contract_size,
            tick_size=terms.tick_size,
            strike_step=terms.strike_step,
            has_data=has_data,
        )


def _page(stretch: Stretch, query: Query) -> dict[str, Any]:
    return {
        "start_ms": stretch.from_ts,
        "end_ms": stretch.to_ts,
        "limit": query["limit"],
        "cursor": query["cursor"],
    }
