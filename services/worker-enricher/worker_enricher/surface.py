"""Pure: the live chains of one product in, its surface out. No server, no clock, no state."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np

from aro.adapters.clock import iso
from aro.contracts.analytics import (
    DECIMALS,
    EnrichedChain,
    EnrichedQuotes,
    SurfaceSlice,
    SurfaceState,
    SurfaceViolation,
    TermPoint,
)
from aro.contracts.calendars import monthly_expiry
from aro.contracts.products import product
from aro.quant.arbitrage import Violation, quoted_calendars, quoted_violations
from aro.quant.arrays import FloatArray
from aro.quant.iv_rank import iv_rank
from aro.quant.skew import skew, smile_weights
from aro.quant.surface import MATURITIES
from aro.quant.surface_fit import SurfaceFit, fit_surface
from aro.quant.svi import Svi
from aro.quant.variance_index import Method, Term, choose_terms, index, strip

MONEYNESS: Final = tuple(round(0.01 * step, 2) for step in range(-20, 21))
"""ln(K/F) at which volatilities are published: -20 % to +20 %, a percent apart."""
MAX_VIOLATIONS: Final = 100
MAX_AGE_MS: Final = 120_000
"""An expiry this much older than the newest is not one moment with it, and left out."""
METHODS: Final[tuple[Method, ...]] = ("cboe", "india")
RATE_DAYS: Final = 30.0


def current(chains: Sequence[EnrichedChain]) -> list[EnrichedChain]:
    """Those that a surface can be made of, nearest first: a forward, time left, and of one moment."""
    newest = max((chain.source_ts for chain in chains), default=0)
    usable = [
        chain
        for chain in chains
        if chain.forward is not None and chain.dte_years > 0.0 and newest - chain.source_ts <= MAX_AGE_MS
    ]
    return sorted(usable, key=lambda chain: chain.expiry_ts)


def is_news(chains: Sequence[EnrichedChain], last: SurfaceState | None) -> bool:
    """Whether any of the `current` chains is newer than what `last` was fitted to."""
    return last is None or max((chain.source_ts for chain in chains), default=0) > last.source_ts


def surface_state(
    chains: Sequence[EnrichedChain], last: SurfaceState | None, history: Sequence[float], *, computed_ts: int
) -> SurfaceState | None:
    """The surface of the `current` chains of one product; None if no expiry has a smile.

    `last` only makes the fit start near its end. `history` are daily closes of `iv_30d`, today's excluded.
    """
    smiles = [_Smile(chain) for chain in chains]
    if not smiles:
        return None
    width = max(smile.k.size for smile in smiles)
    k, iv, weight = (
        np.stack([_padded(getattr(smile, name), width) for smile in smiles]) for name in ("k", "iv", "weight")
    )
    newest = max(chains, key=lambda chain: chain.source_ts)
    years = np.array([chain.dte_years for chain in chains])
    forwards = np.array([chain.forward for chain in chains], dtype=np.float64)
    fit = fit_surface(k, iv, weight, years, forwards, newest.spot, _start(chains, last))
    if fit is None:
        return None
    violations = _violations(chains, smiles, fit)
    term = dict(zip(MATURITIES, fit.surface.constant_maturity().tolist(), strict=True))
    rank = iv_rank(term[RATE_DAYS], np.array(history, dtype=np.float64))
    law = fit.surface.power_law
    return SurfaceState(
        product=newest.product,
        exchange=newest.exchange,
        origin=newest.origin,
        model=fit.surface.model,
        spot=newest.spot,
        slices=_slices(chains, fit),
        ssvi_rho=law.rho,
        ssvi_eta=law.eta,
        ssvi_gamma=law.gamma,
        moneyness=list(MONEYNESS),
        violations=violations[:MAX_VIOLATIONS],
        violation_count=len(violations),
        term_structure=[TermPoint(days=days, iv=_number(sigma, "iv")) for days, sigma in term.items()],
        iv_30d=_number(term[RATE_DAYS], "iv"),
        iv_rank=_number(rank.rank, "price"),
        iv_percentile=_number(rank.percentile, "price"),
        iv_n_obs=rank.n_obs,
        variance_index={method: _variance_index(chains, method) for method in METHODS},
        flags=["tradable_arbitrage"] if any(item.tradable for item in violations) else [],
        source_ts=newest.source_ts,
        source_time=iso(newest.source_ts),
        computed_ts=computed_ts,
    )


# --- points of the fit ---------------------------------------------------------------------


class _Smile:
    """Out-of-the-money volatilities of a chain, puts below the forward and calls from it on."""

    def __init__(self, chain: EnrichedChain) -> None:
        strikes, forward = np.array(chain.strikes), np.float64(chain.forward or np.nan)
        is_call = strikes >= forward

        def chosen(name: str) -> FloatArray:
            return np.where(is_call, _column(getattr(chain.calls, name)), _column(getattr(chain.puts, name)))

        self.k: FloatArray = np.log(strikes / forward)
        self.iv, bid, ask = chosen("iv"), chosen("bid_iv"), chosen("ask_iv")
        self.bid_variance, self.ask_variance = (sigma * sigma * chain.dte_years for sigma in (bid, ask))
        self.weight = smile_weights(self.iv, bid, ask, chosen("vega"), chosen("delta"))


def _start(chains: Sequence[EnrichedChain], last: SurfaceState | None) -> Svi | None:
    if last is None:
        return None
    known = {item.expiry: (item.a, item.b, item.rho, item.m, item.sigma) for item in last.slices}
    rows = [known.get(chain.expiry, (np.nan,) * 5) for chain in chains]
    return Svi(*np.array(rows, dtype=np.float64).T)


def _column(values: Sequence[float | None]) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _padded(values: FloatArray, width: int) -> FloatArray:
    return np.pad(values, (0, width - values.size), constant_values=np.nan)


# --- arbitrage -----------------------------------------------------------------------------


def _violations(chains: Sequence[EnrichedChain], smiles: Sequence[_Smile], fit: SurfaceFit) -> list[SurfaceViolation]:
    """Tradable ones first. Those of the fits count expiries as `fit.expiries` does."""
    quoted: list[Violation] = []
    for i, chain in enumerate(chains):
        for side, is_call in ((chain.calls, True), (chain.puts, False)):
            quoted += _of_quotes(i, chain, side, is_call=is_call)
        if i + 1 < len(chains):
            far = smiles[i + 1]
            quoted += quoted_calendars(i, smiles[i].k, smiles[i].bid_variance, far.k, far.ask_variance)
    fitted = [item._replace(expiry=int(fit.expiries[item.expiry])) for item in fit.violations]
    return [
        SurfaceViolation(
            kind=item.kind,
            expiry=chains[item.expiry].expiry,
            moneyness=round(item.k, DECIMALS["moneyness"]),
            depth=round(item.depth, DECIMALS["variance"]),
            quoted=item.quoted,
            tradable=item.tradable,
        )
        for item in (*quoted, *fitted)
    ]


def _of_quotes(expiry: int, chain: EnrichedChain, side: EnrichedQuotes, *, is_call: bool) -> list[Violation]:
    return quoted_violations(
        expiry,
        np.array(chain.strikes),
        _column(side.bid),
        _column(side.ask),
        is_call=is_call,
        forward=chain.forward or np.nan,
        discount=float(np.exp(-chain.rate * chain.dte_years)),
    )


# --- slices and indices --------------------------------------------------------------------


def _slices(chains: Sequence[EnrichedChain], fit: SurfaceFit) -> list[SurfaceSlice]:
    surface, final, raw = fit.surface, fit.final, fit.raw
    wings = skew(surface.svi, surface.years)
    grid = surface.iv(surface.years[:, None], moneyness=np.array(MONEYNESS))
    slices = []
    for row, expiry in enumerate(fit.expiries):
        chain = chains[int(expiry)]
        slices.append(
            SurfaceSlice(
                expiry=chain.expiry,
                expiry_ts=chain.expiry_ts,
                source_seq=chain.source_seq,
                source_ts=chain.source_ts,
                dte_years=chain.dte_years,
                forward=float(surface.forward[row]),
                **{name: float(column[row]) for name, column in surface.svi._asdict().items()},
                points=int(final.points[row]),
                rmse=float(final.rmse[row]),
                max_error=float(final.max_error[row]),
                g_min=float(final.g_min[row]),
                raw_rmse=float(raw.rmse[row]),
                raw_g_min=float(raw.g_min[row]),
                k_low=float(raw.k_low[row]),
                k_high=float(raw.k_high[row]),
                iv_atm=_number(wings.iv_atm[row], "iv"),
                rr25=_number(wings.rr25[row], "iv"),
                bf25=_number(wings.bf25[row], "iv"),
                skew_25d_norm=_number(wings.norm[row], "ratio"),
                iv=[_number(value, "iv") for value in grid[row]],
            )
        )
    return slices


def _variance_index(chains: Sequence[EnrichedChain], method: Method) -> float | None:
    """India's is made of monthly expiries; both are null where the listed expiries do not allow one."""
    usable = [chain for chain in chains if method == "cboe" or _is_monthly(chain)]
    terms = choose_terms([chain.dte_years for chain in usable], method)
    if terms is None:
        return None
    near, far = (_term(usable[i], method) for i in terms)
    return _number(index(near, far), "price")


def _term(chain: EnrichedChain, method: Method) -> Term:
    built = strip(
        np.array(chain.strikes),
        _column(chain.calls.bid),
        _column(chain.calls.ask),
        _column(chain.puts.bid),
        _column(chain.puts.ask),
        chain.dte_years,
        chain.rate,
        method=method,
        future=chain.future,
    )
    return Term(chain.dte_years, built.variance)


def _is_monthly(chain: EnrichedChain) -> bool:
    day = date.fromisoformat(chain.expiry)
    return monthly_expiry(product(chain.product), day.year, day.month) == day


def _number(value: Any, kind: str) -> float | None:
    return None if not np.isfinite(value) else round(float(value), DECIMALS[kind])
