"""Pure: prices, volatility and Greeks of several contracts together."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from msgspec import UNSET

from analytics_service.answers import LegAnswer, StrategyAnswer
from analytics_service.explained import explanation
from analytics_service.legs import Leg, position_of
from analytics_service.premiums import newest
from aro.contracts.analytics import EnrichedChain, EnrichedQuotes
from aro.contracts.problems import InvalidRequest
from aro.contracts.symbols import contract_symbol

GREEKS: Final = ("delta", "gamma", "vega", "theta", "rho")
QUOTED: Final = ("bid", "ask", "mid", "ltp", "iv", *GREEKS)
HISTORY: Final = ("price", "iv", *GREEKS)


def strategy(
    legs: Sequence[Leg], chains: Mapping[str, EnrichedChain], nearest: str, *, explain: bool
) -> StrategyAnswer:
    """`chains` by expiry; legs without an expiry are of `nearest`. Raises `NotFound` for a strike not listed."""
    priced = [leg_answer(leg, chains[leg.expiry or nearest]) for leg in legs]
    sizes = {chain.contract_size for chain in chains.values()}
    if len(sizes) > 1:
        raise InvalidRequest("not valid: legs", errors={"legs": ["These expiries have different contract sizes."]})
    head = newest(list(chains.values()))
    return StrategyAnswer(
        **head,
        legs=priced,
        contract_size=sizes.pop(),
        spot=max(chains.values(), key=lambda chain: chain.source_ts).spot,
        **totals(priced),
        explain=explanation(
            "price = Σ quantity·mid, iv = Σ|quantity|·vega·iv / Σ|quantity|·vega, Greeks = Σ quantity·Greek",
            list(chains.values()),
            filters={"quotes": "two-sided only"},
        )
        if explain
        else UNSET,
    )


def leg_answer(leg: Leg, chain: EnrichedChain) -> LegAnswer:
    side: EnrichedQuotes = chain.calls if leg.option_type == "CE" else chain.puts
    at = position_of(chain.strikes, leg.strike, where=f"{chain.product} {chain.expiry}")
    return LegAnswer(
        symbol=contract_symbol(chain.product, chain.expiry, leg.strike, leg.option_type),
        quantity=leg.quantity,
        expiry=chain.expiry,
        strike=leg.strike,
        option_type=leg.option_type,
        **{name: getattr(side, name)[at] for name in QUOTED},
    )


def totals(legs: Sequence[LegAnswer]) -> dict[str, Any]:
    """What the legs are together; None as soon as one does not have it."""
    quantities = np.array([leg.quantity for leg in legs], dtype=np.float64)

    def values(name: str) -> Any:
        return np.array([getattr(leg, name) for leg in legs], dtype=np.float64)

    bid, ask, vega = values("bid"), values("ask"), values("vega")
    buys = quantities > 0.0
    weights = np.abs(quantities) * vega
    with np.errstate(all="ignore"):
        sums = {
            "price": (quantities * values("mid")).sum(),
            "cost": (quantities * np.where(buys, ask, bid)).sum(),
            "proceeds": (quantities * np.where(buys, bid, ask)).sum(),
            "iv": (weights * values("iv")).sum() / weights.sum(),
            **{name: (quantities * values(name)).sum() for name in GREEKS},
        }
    return {name: None if not np.isfinite(value) else round(float(value), 9) for name, value in sums.items()}
