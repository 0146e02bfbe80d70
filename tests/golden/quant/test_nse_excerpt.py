"""A moment of a real market: eleven NIFTY strikes as NSE showed them, provenance in ``nse_nifty_excerpt.json``."""

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from aro.quant.batch import BatchResult, Chain, Side, join, solve
from aro.quant.expiry import years_to_expiry
from aro.quant.forward import ForwardSource
from aro.quant.implied import IvStatus

pytestmark = pytest.mark.usefixtures("each_kernel")


@pytest.fixture(scope="module")
def excerpt() -> dict:
    return json.loads(Path(__file__).with_name("nse_nifty_excerpt.json").read_text())


@pytest.fixture(scope="module")
def years(excerpt: dict) -> float:
    now, expiry = (round(datetime.fromisoformat(excerpt[key]).timestamp() * 1_000) for key in ("snapshot", "expiry"))
    return float(years_to_expiry(now, expiry))


@pytest.fixture(scope="module", params=[0.0, 0.05, 0.07])
def result(excerpt: dict, years: float, request: pytest.FixtureRequest, each_kernel: str) -> BatchResult:
    columns = dict(zip(excerpt["columns"], np.array(excerpt["rows"]).T, strict=True))
    sides = [
        Side(*(columns[f"{side}_{name}"] for name in ("bid", "ask", "open_interest", "volume")))
        for side in ("call", "put")
    ]
    chain = Chain(
        strikes=columns["strike"],
        calls=sides[0],
        puts=sides[1],
        spot=excerpt["spot"],
        years=years,
        rate=request.param,
        dividend_yield=0.012,
    )
    return solve(join([chain]))


def test_time_to_expiry(years: float) -> None:
    assert years * 365 == pytest.approx(3 + (4 * 3_600 + 42 * 60 + 41) / 86_400, rel=1e-12)


def test_forward_is_above_spot_whatever_the_rate(result: BatchResult) -> None:
    assert result.forward_source.tolist() == [ForwardSource.PARITY]
    assert result.forward[0] == pytest.approx(17_037, abs=2)
    assert result.implied_carry[0] == pytest.approx(0.099, abs=0.01)  # no interest rate: a basis


def test_the_executable_band_is_crossed(result: BatchResult) -> None:
    assert result.band_crossed.tolist() == [True]
    assert result.forward_low[0] > result.forward_high[0]


def test_both_sides_of_a_strike_have_one_volatility(result: BatchResult) -> None:
    assert (result.calls.iv_status == IvStatus.OK).all()
    np.testing.assert_allclose(result.calls.iv, result.puts.iv, rtol=0.0, atol=0.003)
    assert result.iv_atm[0] == pytest.approx(0.2534, abs=0.001)


def test_at_the_money_and_expected_move(result: BatchResult) -> None:
    assert result.atm_strike.tolist() == [17_050.0]
    assert result.atm_straddle[0] == pytest.approx(154.75 + 166.75)
    # The straddle at the forward is 0.798 of a standard deviation, definitions §4.
    assert result.atm_straddle_forward[0] / result.expected_move_1sd[0] == pytest.approx(0.798, abs=0.003)
