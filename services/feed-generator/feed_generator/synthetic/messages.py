"""From arrays to messages, and the truth that belongs to them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from aro.adapters.clock import iso
from aro.contracts.market import FLAG_NEVER_TRADED, FLAG_NO_BID, ChainSnapshot, Quotes
from aro.contracts.products import Product
from aro.quant.arrays import BoolArray, FloatArray
from aro.quant.ssvi import SsviParameters, atm_total_variance, power_law_phi
from feed_generator.provider import UNNUMBERED
from feed_generator.synthetic.book import LAST, OI_BASE, OPEN_INTEREST, PREV_CLOSE, VOLUME
from feed_generator.synthetic.listing import Listing
from feed_generator.synthetic.quotes import Sides, Valuation


def chain_messages(
    product: Product,
    listing: Listing,
    now_ms: int,
    spot: float,
    valuation: Valuation,
    sides: Sides,
    state: FloatArray,
    sizes: FloatArray,
) -> list[ChainSnapshot]:
    """One snapshot per expiry. `state` is a `Book`'s, `sizes` (2, expiries, 2, strikes) at bid and ask."""
    columns = _columns(sides, state, sizes)
    strikes = list(listing.strikes)
    chains = []
    for row, (expiry, expiry_ms) in enumerate(listing.contracts):
        terms = product.terms(expiry)
        chains.append(
            ChainSnapshot(
                product=product.name,
                expiry=expiry.isoformat(),
                expiry_ts=expiry_ms,
                source_seq=UNNUMBERED,
                source_ts=now_ms,
                origin="synthetic",
                spot=spot,
                rate=product.rate,
                dividend_yield=product.dividend_yield,
                contract_size=terms.contract_size,
                tick_size=terms.tick_size,
                strikes=strikes,
                calls=Quotes(**{name: column[row][0] for name, column in columns.items()}),
                puts=Quotes(**{name: column[row][1] for name, column in columns.items()}),
                future=round(float(valuation.forward[row, 0]), 2) if listing.has_future[row] else None,
            )
        )
    return chains


def truth(
    listing: Listing, row: int, chain: ChainSnapshot, years: float, valuation: Valuation, surface: SsviParameters
) -> dict[str, Any]:
    """What a perfect observer would recover from `chain`: the forward, and the annual volatility per strike."""
    theta = float(atm_total_variance(years, surface.sigma_zero, surface.sigma_infinity, surface.kappa))
    return {
        "product": chain.product,
        "expiry": chain.expiry,
        "source_ts": chain.source_ts,
        "source_time": iso(chain.source_ts),
        "forward": float(valuation.forward[row, 0]),
        "rate": chain.rate,
        "years": years,
        "strikes": list(listing.strikes),
        "iv": valuation.sigma[row].tolist(),
        "surface": surface._asdict(),
        "theta": theta,
        "phi": float(power_law_phi(theta, surface.eta, surface.gamma)),
    }


def _columns(sides: Sides, state: FloatArray, sizes: FloatArray) -> dict[str, Any]:
    """Column name → [expiry][call or put] → list over strikes."""
    no_bid = ~sides.has_bid
    never = np.isnan(state[LAST])
    flags = np.where(no_bid, FLAG_NO_BID, 0) | np.where(never, FLAG_NEVER_TRADED, 0)
    return {
        "bid": _with_nulls(sides.bid, no_bid),
        "ask": sides.ask.tolist(),
        "bid_size": _with_nulls(sizes[0], no_bid),
        "ask_size": sizes[1].tolist(),
        "ltp": _with_nulls(state[LAST], never),
        "prev_close": state[PREV_CLOSE].tolist(),
        "volume": state[VOLUME].tolist(),
        "open_interest": state[OPEN_INTEREST].tolist(),
        "open_interest_change": (state[OPEN_INTEREST] - state[OI_BASE]).tolist(),
        "flags": flags.tolist(),
    }


def _with_nulls(values: FloatArray, missing: BoolArray) -> list[list[Sequence[float | None]]]:
    nested: Any = values.tolist()
    for expiry, side, strike in np.argwhere(missing).tolist():
        nested[expiry][side][strike] = None
    return nested  # type: ignore[no-any-return]
