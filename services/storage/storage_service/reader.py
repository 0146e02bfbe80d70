"""What can be asked about stored chains, metrics and ticks."""

from typing import Any

from aro.adapters.chain_store import ChainStore, StoredChain
from aro.adapters.clock import Clock, utc
from aro.adapters.paging import Page
from aro.adapters.tick_store import TickStore
from aro.contracts.analytics import ChainMetrics, EnrichedTick
from aro.contracts.calendars import local_day
from aro.contracts.problems import UnknownExpiry
from aro.contracts.products import PRODUCTS, Product, product
from aro.runtime.queries import SpanRule, resolve
from storage_service import spans

Answer = dict[str, Any]


class Reader:
    """`query` arguments are what the schemas made of a request. All raise `UnknownProduct` and `UnknownExpiry`."""

    def __init__(self, chains: ChainStore, ticks: TickStore, clock: Clock) -> None:
        self._chains = chains
        self._ticks = ticks
        self._clock = clock

    def products(self) -> Answer:
        stored = self._chains.products()
        return {"products": [self._describe(item, has_data=item.name in stored) for item in PRODUCTS.values()]}

    def expiries(self, name: str) -> Answer:
        """Every expiry with stored data, nearest first; those that are over are flagged."""
        return {"product": product(name).name, "expiries": self._expiries(name)}

    def chain(self, name: str, expiry: str | None) -> bytes:
        chosen = self._expiry(name, expiry)
        found = self._chains.latest(name, chosen)
        if found is None:
            raise UnknownExpiry(f"the last chain of {name} {chosen} is not kept any more")
        return found

    def metrics(self, name: str, expiry: str | None) -> ChainMetrics:
        chosen = self._expiry(name, expiry)
        found = self._chains.latest_metrics(name, chosen)
        if found is None:
            raise UnknownExpiry(f"the last metrics of {name} {chosen} are not kept any more")
        return found

    def chain_history(self, name: str, query: Answer) -> tuple[Answer, Page[StoredChain]]:
        return self._chain_pages(name, query, spans.CHAINS, self._chains.chains)

    def metrics_history(self, name: str, query: Answer) -> tuple[Answer, Page[ChainMetrics]]:
        return self._chain_pages(name, query, spans.METRICS, self._chains.metrics)

    def tick_history(self, name: str, query: Answer) -> tuple[Answer, Page[EnrichedTick]]:
        asked = resolve(query, spans.TICKS, now_ms=self._clock.now_ms())
        page = self._ticks.ticks(
            product(name).name,
            start_ms=asked.start_ms,
            end_ms=asked.end_ms,
            limit=query["limit"],
            cursor=query["cursor"],
        )
        return {"product": name, "from_ts": asked.start_ms, "to_ts": asked.end_ms}, page

    def _chain_pages(self, name: str, query: Answer, rule: SpanRule, read: Any) -> tuple[Answer, Any]:
        expiry = self._expiry(name, query["expiry"])
        asked = resolve(query, rule, now_ms=self._clock.now_ms())
        page = read(
            name, expiry, start_ms=asked.start_ms, end_ms=asked.end_ms, limit=query["limit"], cursor=query["cursor"]
        )
        return {"product": name, "expiry": expiry, "from_ts": asked.start_ms, "to_ts": asked.end_ms}, page

    def _expiry(self, name: str, asked: str | None) -> str:
        """`asked` if it has data; without it the nearest one that has data and is not over."""
        known = self._expiries(product(name).name)
        for item in known:
            if item["expiry"] == asked or (asked is None and not item["expired"]):
                return str(item["expiry"])
        raise UnknownExpiry(f"{name} has no data for {asked or 'any expiry that is not over'}")

    def _expiries(self, name: str) -> list[Answer]:
        now = self._clock.now_ms()
        found = [{**item, "expired": item["expiry_ts"] <= now} for item in self._chains.expiries(name)]
        return sorted(found, key=lambda item: (item["expiry_ts"], item["expiry"]))

    def _describe(self, item: Product, *, has_data: bool) -> Answer:
        terms = item.terms(local_day(item, utc(self._clock.now_ms())))
        return {
            "product": item.name,
            "description": item.description,
            "exchange": item.exchange,
            "currency": item.currency,
            "timezone": item.timezone,
            "exercise_style": item.exercise_style,
            "contract_size": terms.contract_size,
            "tick_size": terms.tick_size,
            "strike_step": terms.strike_step,
            "has_data": has_data,
        }
