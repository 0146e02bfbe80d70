"""Pure: gamma exposure by strike and by spot, and the max-pain curve, from chains."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from msgspec import UNSET

from analytics_service.answers import GexAnswer, MaxPainAnswer, Scope
from analytics_service.explained import explanation
from analytics_service.premiums import newest
from analytics_service.solved import Solved, array, column, number, solved
from aro.contracts.analytics import EnrichedChain
from aro.quant.arrays import FloatArray, IntArray
from aro.quant.exposure import (
    NODE_FACTORS,
    ONE_PERCENT,
    REACH,
    SIGNS,
    SignModel,
    gamma_profile,
    nearest_root,
    strike_of_most,
)
from aro.quant.max_pain import max_pain

SIDES: Final = ("calls", "puts")
GEX_FORMULA: Final = "gex = sign·Γ·OI·contract_size·S²·0.01 per contract, Γ·S² = Γ_F·F²"


def gex(chains: Sequence[EnrichedChain], scope: Scope, sign_model: SignModel, *, explain: bool) -> GexAnswer:
    """Of several expiries, sums by strike and by spot. The spot is that of the newest chain."""
    book = solved(chains)
    strikes, at = np.unique(book.batch.strikes, return_inverse=True)
    calls, puts = (
        _by_strike(book, side, strikes.size, at) * sign for side, sign in zip(SIDES, SIGNS[sign_model], strict=True)
    )
    profile = _sum_known(_profile(book, sign_model).T)
    totals = _totals(book, sign_model)
    spot = max(chains, key=lambda chain: chain.source_ts).spot
    # One chain alone says what its metrics say, to the last place.
    flip = book.result.gex_flip[0] if len(chains) == 1 else spot * nearest_root(NODE_FACTORS, profile[:, None])[0]
    return GexAnswer(
        **newest(chains),
        scope=scope,
        expiries=[chain.expiry for chain in chains],
        sign_model=sign_model,
        spot=spot,
        gex_net=number(totals.net, "price"),
        gamma_density=number(totals.density, "price"),
        gex_flip=number(flip if sign_model == "naive" else np.nan, "price"),
        call_wall=number(strike_of_most(strikes, np.abs(calls)), "price"),
        put_wall=number(strike_of_most(strikes, np.abs(puts)), "price"),
        strikes=strikes.tolist(),
        call_gex=column(calls, "price"),
        put_gex=column(puts, "price"),
        net_gex=column(_sum_known(np.stack([calls, puts])), "price"),
        spots=np.round(spot * NODE_FACTORS, 4).tolist(),
        gex_by_spot=column(profile, "price"),
        explain=explanation(
            GEX_FORMULA,
            chains,
            inputs={"contract_size": {chain.expiry: chain.contract_size for chain in chains}},
            filters={
                "signs": dict(zip(("calls", "puts"), SIGNS[sign_model], strict=True)),
                "contracts_left_out": _unknown(book),
                "profile": f"sticky strike, ±{REACH:.0%} of the spot",
            },
        )
        if explain
        else UNSET,
    )


def pain(chain: EnrichedChain, *, explain: bool) -> MaxPainAnswer:
    strikes = array(chain.strikes)
    forward = np.nan if chain.forward is None else chain.forward
    found = max_pain(strikes, array(chain.calls.open_interest), array(chain.puts.open_interest), forward)
    return MaxPainAnswer(
        **newest([chain]),
        expiry=chain.expiry,
        spot=chain.spot,
        forward=chain.forward,
        max_pain=number(found.strike, "price"),
        contract_size=chain.contract_size,
        strikes=chain.strikes,
        pain=column(found.curve, "price"),
        explain=explanation(
            "pain(X) = Σ_{K<X} OI_call·(X - K) + Σ_{K>X} OI_put·(K - X); ties go to the strike nearest the forward",
            [chain],
            inputs={
                "call_open_interest": chain.calls.open_interest,
                "put_open_interest": chain.puts.open_interest,
            },
            filters={"settlement": "listed strikes only", "unknown open interest": "counts as 0"},
        )
        if explain
        else UNSET,
    )


class _Totals(NamedTuple):
    net: float
    density: float


def _totals(book: Solved, sign_model: SignModel) -> _Totals:
    """Sums of what each chain's metrics say."""
    density = float(_sum_known(book.result.gamma_density))
    return _Totals(float(_sum_known(book.result.gex_net)) if sign_model == "naive" else -density, density)


def _by_strike(book: Solved, side: str, size: int, at: IntArray) -> FloatArray:
    """Unsigned exposure of calls or of puts at each strike over all chains; NaN where not known."""
    lengths = np.diff(book.batch.offsets)
    scale = np.repeat(book.result.forward**2 * book.batch.contract_size * ONE_PERCENT, lengths)
    amounts = getattr(book.result, side).gamma * getattr(book.batch, side).open_interest * scale
    known = np.isfinite(amounts)
    summed = np.bincount(at[known], amounts[known], size)
    result: FloatArray = np.where(np.bincount(at[known], minlength=size) > 0, summed, np.nan)
    return result


def _profile(book: Solved, sign_model: SignModel) -> FloatArray:
    """(nodes, chains)"""
    batch, result = book.batch, book.result
    return gamma_profile(
        batch.offsets,
        batch.strikes,
        result.calls.iv,
        result.puts.iv,
        batch.calls.open_interest,
        batch.puts.open_interest,
        result.forward,
        batch.years,
        np.exp(-batch.rate * np.maximum(batch.years, 0.0)),
        batch.contract_size,
        sign_model,
    )


def _unknown(book: Solved) -> int:
    """Contracts with open interest and no gamma."""
    sides = ((book.result.calls, book.batch.calls), (book.result.puts, book.batch.puts))
    return int(sum((np.isnan(side.gamma) & (quoted.open_interest > 0.0)).sum() for side, quoted in sides))


def _sum_known(rows: FloatArray) -> FloatArray:
    """Over the first axis; NaN where all are."""
    known = np.isfinite(rows)
    total: FloatArray = np.where(known.any(axis=0), np.where(known, rows, 0.0).sum(axis=0), np.nan)
    return total
