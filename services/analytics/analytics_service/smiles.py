"""Pure: the smile of one chain, as quoted and as fitted to it alone."""

from typing import Final

import numpy as np
from msgspec import UNSET

from analytics_service.explained import explanation
from analytics_service.solved import Solved, array, column, number, solved
from analytics_service.surface_answers import JumpWingParameters, SmileAnswer, SmileFit, SmileSide
from aro.contracts.analytics import EnrichedChain, EnrichedQuotes
from aro.quant.arrays import FloatArray
from aro.quant.chain_metrics import SMILE_STEPS
from aro.quant.chain_metrics import smile as smile_points
from aro.quant.skew import CLIP_DELTA, WIDEST
from aro.quant.svi import Svi, jump_wings, total_variance
from aro.quant.svi_fit import SliceFits, fit_slices

PARAMETERS: Final = ("a", "b", "rho", "m", "sigma")


def smile(chain: EnrichedChain, *, explain: bool) -> SmileAnswer:
    """Numbers are those of the chain's published metrics: the same fit of the same points."""
    book = solved([chain])
    points = smile_points(array(chain.strikes)[None], book.result.forward, _row, book.result.calls, book.result.puts)
    with np.errstate(all="ignore"):
        fits = fit_slices(*points, book.batch.years, steps=SMILE_STEPS)
        fitted = np.sqrt(total_variance(points.k, fits.svi) / chain.dte_years)[0]
    return SmileAnswer(
        product=chain.product,
        expiry=chain.expiry,
        source_ts=chain.source_ts,
        source_time=chain.source_time,
        spot=chain.spot,
        forward=chain.forward,
        dte_years=chain.dte_years,
        atm_strike=chain.atm_strike,
        **_skew(book),
        strikes=chain.strikes,
        moneyness=column(points.k[0], "moneyness"),
        calls=_side(chain.calls),
        puts=_side(chain.puts),
        used=(points.weight[0] > 0.0).tolist(),
        fit=_fit(fits),
        jump_wings=_jump_wings(fits, chain.dte_years),
        fitted_iv=column(fitted, "iv"),
        explain=explanation(
            "raw SVI by least squares of volatility over out-of-the-money quotes, weighted by vega",
            [chain],
            inputs={"weights": column(points.weight[0], "vega")},
            filters={
                "least_delta": CLIP_DELTA,
                "widest_bid_to_ask_of_iv": WIDEST,
                "quotes_used": int((points.weight[0] > 0.0).sum()),
                "quotes_with_iv": int(np.isfinite(points.iv[0]).sum()),
            },
        )
        if explain
        else UNSET,
    )


def _row(flat: FloatArray) -> FloatArray:
    return flat[None]


def _skew(book: Solved) -> dict[str, float | None]:
    result = book.result
    return {
        "iv_atm": number(result.iv_atm[0], "iv"),
        "rr25": number(result.rr25[0], "iv"),
        "bf25": number(result.bf25[0], "iv"),
        "skew_25d_norm": number(result.skew_25d_norm[0], "ratio"),
    }


def _side(quotes: EnrichedQuotes) -> SmileSide:
    return SmileSide(iv=quotes.iv, bid_iv=quotes.bid_iv, ask_iv=quotes.ask_iv, delta=quotes.delta)


def _fit(fits: SliceFits) -> SmileFit | None:
    if not np.isfinite(fits.svi.b[0]):
        return None
    return SmileFit(
        **{name: float(getattr(fits.svi, name)[0]) for name in PARAMETERS},
        points=int(fits.points[0]),
        rmse=float(fits.rmse[0]),
        max_error=float(fits.max_error[0]),
        g_min=float(fits.g_min[0]),
        k_low=float(fits.k_low[0]),
        k_high=float(fits.k_high[0]),
    )


def _jump_wings(fits: SliceFits, years: float) -> JumpWingParameters | None:
    wings = jump_wings(Svi(*(parameter[0] for parameter in fits.svi)), years)
    if not np.isfinite(np.array(wings)).all():
        return None
    return JumpWingParameters(**{name: float(value) for name, value in wings._asdict().items()})
