"""The batch door: what it says of many chains is what it says of each, and gaps stay where they are."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aro.quant import batch as door
from aro.quant.batch import BatchResult, Chain, Side, join, solve
from aro.quant.black import price
from aro.quant.forward import ForwardSource
from aro.quant.implied import IvStatus

pytestmark = pytest.mark.usefixtures("each_kernel")

NAN = math.nan
FITTED = ("rr25", "bf25", "skew_25d_norm", "smile_rmse", "smile_g_min")
"""They end where an iteration stops, which the rounding of sums over longer rows can move."""
PER_CHAIN = [field for field in BatchResult._fields if field not in ("calls", "puts")]


def synthetic(
    size: int = 41,
    spot: float = 17_000.0,
    years: float = 5 / 365,
    sigma: float = 0.17,
    seed: int = 0,
    gaps: float = 0.0,
) -> Chain:
    random = np.random.default_rng(seed)
    strikes = np.round(spot / 50) * 50 + 50.0 * (np.arange(size) - size // 2)
    forward, D = spot * math.exp(0.06 * years), math.exp(-0.065 * years)

    def side(is_call: bool) -> Side:
        mid = price(forward, strikes, years, sigma, D, is_call)
        columns = [mid * 0.995, mid * 1.005, random.integers(0, 9_000, size), random.integers(0, 9_000, size)]
        columns += [mid, mid * random.uniform(0.9, 1.1, size), random.integers(-900, 900, size)]
        return Side(*(np.where(random.random(size) < gaps, NAN, column) for column in columns))

    return Chain(
        strikes=strikes,
        calls=side(True),
        puts=side(False),
        spot=spot,
        years=years,
        rate=0.065,
        dividend_yield=0.012,
        contract_size=65.0,
        tick_size=0.05,
    )


def empty_side(size: int) -> Side:
    return Side(*([NAN] * size for _ in range(4)))


def with_sides(chain: Chain, calls: Side | None = None, puts: Side | None = None, **changes: Any) -> Chain:
    fields = {name: getattr(chain, name) for name in Chain.__slots__}
    fields.update(calls=calls or chain.calls, puts=puts or chain.puts, **changes)
    return Chain(**fields)


@st.composite
def chain_lists(draw: st.DrawFn) -> list[Chain]:
    count = draw(st.integers(1, 6))
    return [
        synthetic(
            size=draw(st.integers(0, 60)),
            spot=draw(st.floats(500, 60_000)),
            years=draw(st.sampled_from([0.0, 1 / 525_600, 5 / 365, 0.5])),
            sigma=draw(st.floats(0.05, 1.0)),
            seed=draw(st.integers(0, 99)),
            gaps=draw(st.sampled_from([0.0, 0.3, 1.0])),
        )
        for _ in range(count)
    ]


@given(chain_lists())
@settings(deadline=None, max_examples=60)
def test_a_batch_says_what_each_chain_says(chains: list[Chain]) -> None:
    together = solve(join(chains))
    offsets = join(chains).offsets
    for i, chain in enumerate(chains):
        alone = solve(join([chain]))
        legs = slice(int(offsets[i]), int(offsets[i + 1]))
        for side in ("calls", "puts"):
            for name, column in getattr(alone, side)._asdict().items():
                np.testing.assert_allclose(
                    getattr(getattr(together, side), name)[legs], column, rtol=1e-12, err_msg=name
                )
        for name in PER_CHAIN:
            tolerance = {"rtol": 1e-3, "atol": 1e-6} if name in FITTED else {"rtol": 1e-12}
            np.testing.assert_allclose(getattr(together, name)[i], getattr(alone, name)[0], err_msg=name, **tolerance)


def test_a_clean_chain_is_recovered() -> None:
    chain = synthetic()
    result = solve(join([chain]))
    assert result.forward_source.tolist() == [ForwardSource.PARITY]
    assert result.forward[0] == pytest.approx(17_000 * math.exp(0.06 * 5 / 365), abs=0.05)
    assert result.basis[0] == result.forward[0] - 17_000
    assert result.implied_carry[0] == pytest.approx(0.06, abs=1e-3)
    near = np.abs(np.asarray(chain.strikes) - 17_000) <= 300
    for side in (result.calls, result.puts):
        np.testing.assert_allclose(side.iv[near], 0.17, atol=1e-4)
        assert (side.iv_status[near] == IvStatus.OK).all()
        assert (side.bid_iv[near] < side.iv[near]).all()
        assert (side.iv[near] < side.ask_iv[near]).all()
    assert result.iv_atm[0] == pytest.approx(0.17, abs=1e-4)
    assert result.atm_strike[0] == 17_000
    assert np.asarray(chain.strikes)[result.atm_index[0]] == 17_000
    assert result.expected_move_1sd[0] == pytest.approx(result.forward[0] * 0.17 * math.sqrt(5 / 365), rel=1e-3)
    assert result.expected_move_straddle[0] == result.atm_straddle[0]
    assert result.expected_move_85[0] == 0.85 * result.atm_straddle[0]
    assert result.atm_straddle_forward[0] == pytest.approx(0.7979 * result.expected_move_1sd[0], rel=0.01)
    np.testing.assert_allclose(result.calls.delta - result.puts.delta, math.exp(-0.065 * 5 / 365), rtol=1e-2)


def test_premium_is_discounted_intrinsic_plus_time_value() -> None:
    result = solve(join([synthetic()]))
    D = math.exp(-0.065 * 5 / 365)
    for side in (result.calls, result.puts):
        np.testing.assert_allclose(D * side.intrinsic + side.time_value, side.mid, rtol=1e-12)
    np.testing.assert_allclose(
        result.calls.intrinsic - result.puts.intrinsic, result.forward[0] - join([synthetic()]).strikes
    )


def test_totals_and_ratios_are_sums_of_columns() -> None:
    chain = synthetic(gaps=0.2, seed=3)
    result = solve(join([chain]))
    assert result.call_open_interest[0] == np.nansum(chain.calls.open_interest)
    assert result.put_volume[0] == np.nansum(chain.puts.volume)
    assert result.pcr_oi[0] == np.nansum(chain.puts.open_interest) / np.nansum(chain.calls.open_interest)
    assert result.pcr_volume[0] == np.nansum(chain.puts.volume) / np.nansum(chain.calls.volume)
    value = [
        np.nansum(side.open_interest * mid)
        for side, mid in ((chain.puts, result.puts.mid), (chain.calls, result.calls.mid))
    ]
    assert result.pcr_oi_value[0] == pytest.approx(value[0] / value[1], rel=1e-12)


def test_the_metrics_of_the_whole_chain() -> None:
    chain = synthetic(seed=1)
    result = solve(join([chain]))
    calls, puts = chain.calls, chain.puts
    assert result.call_oi_wall[0] == np.asarray(chain.strikes)[np.argmax(calls.open_interest)]
    assert result.put_open_interest_change[0] == np.sum(puts.open_interest_change)
    # A flat smile has no skew; a fit stops within a few hundredths of a vol point of it.
    assert abs(result.rr25[0]) < 3e-4
    assert abs(result.bf25[0]) < 3e-4
    assert result.smile_rmse[0] < 3e-4
    assert result.smile_g_min[0] > 0.0
    F = result.forward[0]
    gex = result.calls.gamma * (calls.open_interest - puts.open_interest) * 65 * F * F * 0.01
    assert result.gex_net[0] == pytest.approx(np.nansum(gex), rel=1e-3)
    assert result.gamma_density[0] > abs(result.gex_net[0])
    assert abs(result.gex_flip[0] / 17_000 - 1) < 0.08 or math.isnan(result.gex_flip[0])
    np.testing.assert_allclose(result.call_buildup.sum(axis=1), 1.0)
    assert result.parity_residual[0] < 0.1
    np.testing.assert_allclose(result.calls.vanna, result.puts.vanna, rtol=0.02, atol=1e-6)


def test_columns_left_out_leave_out_what_needs_them() -> None:
    chain = synthetic()
    bare = with_sides(chain, Side(*chain.calls[:4]), Side(*chain.puts[:4]), contract_size=None, tick_size=None)
    result, full = solve(join([bare])), solve(join([chain]))
    for name in ("gex_net", "gamma_density", "call_buildup", "put_buildup", "pcr_oi_change"):
        assert np.isnan(getattr(result, name)).all(), name
    for name in ("call_oi_wall", "rr25", "gex_flip", "iv_atm", "pcr_oi"):
        np.testing.assert_array_equal(getattr(result, name), getattr(full, name))


def test_a_mid_needs_both_sides() -> None:
    chain = with_sides(synthetic(3), calls=Side([NAN, 5.0, NAN], [6.0, NAN, NAN], [1.0] * 3, [1.0] * 3))
    calls = solve(join([chain])).calls
    assert np.isnan(calls.mid).all()
    assert (calls.iv_status == IvStatus.NO_PRICE).all()
    assert np.isnan(calls.bid_iv[[0, 2]]).all()
    assert np.isnan(calls.time_value).all()
    assert np.isfinite(calls.intrinsic).all()


def test_no_quotes_no_volatility_but_a_forward_by_carry() -> None:
    chain = with_sides(synthetic(5), empty_side(5), empty_side(5))
    result = solve(join([chain]))
    assert result.forward_source.tolist() == [ForwardSource.CARRY]
    for name in (
        "iv_atm",
        "atm_straddle",
        "atm_straddle_forward",
        "expected_move_1sd",
        "pcr_oi",
        "max_pain",
        "forward_low",
    ):
        assert np.isnan(getattr(result, name)).all(), name
    assert result.call_open_interest.tolist() == [0.0]
    assert (result.calls.iv_status == IvStatus.NO_PRICE).all()
    assert not result.band_crossed.any()


def test_nothing_known_disturbs_no_neighbour() -> None:
    size = 7
    nothing = Chain(
        strikes=[NAN] * size,
        calls=empty_side(size),
        puts=empty_side(size),
        spot=NAN,
        years=NAN,
        rate=NAN,
        dividend_yield=NAN,
    )
    good = synthetic()
    result = solve(join([nothing, good, nothing]))
    alone = solve(join([good]))
    assert result.forward_source.tolist() == [ForwardSource.NONE, ForwardSource.PARITY, ForwardSource.NONE]
    assert result.atm_index.tolist() == [-1, alone.atm_index[0], -1]
    assert np.isnan(result.forward[[0, 2]]).all()
    assert result.iv_atm[1] == alone.iv_atm[0]


def test_one_strike_and_one_empty_side() -> None:
    lone = synthetic(1)
    result = solve(
        join([lone, with_sides(synthetic(9), puts=empty_side(9)), with_sides(synthetic(9), calls=empty_side(9))])
    )
    assert result.forward_source.tolist() == [ForwardSource.PARITY, ForwardSource.CARRY, ForwardSource.CARRY]
    assert result.atm_strike[0] == 17_000
    assert np.isfinite(result.atm_straddle[0])
    assert np.isnan(result.atm_straddle_forward[0])  # the forward is not at the only strike
    assert np.isfinite(result.iv_atm[1:]).all()
    assert np.isnan(result.pcr_oi[2])
    assert result.pcr_oi[1] == 0.0


def test_no_chains_and_chains_without_strikes() -> None:
    assert solve(join([])).forward.shape == (0,)
    result = solve(join([synthetic(0), synthetic(3)]))
    assert result.forward.shape == (2,)
    assert result.forward_source.tolist() == [ForwardSource.CARRY, ForwardSource.PARITY]
    assert math.isnan(result.atm_strike[0])


def test_an_expired_chain_says_so() -> None:
    result = solve(join([with_sides(synthetic(), years=0.0)]))
    assert set(result.calls.iv_status.tolist()) <= {IvStatus.EXPIRED, IvStatus.NO_PRICE}
    assert (result.calls.iv_status == IvStatus.EXPIRED).any()
    for name in ("iv", "delta", "gamma", "vega", "theta", "rho"):
        assert np.isnan(getattr(result.calls, name)).all()
    assert np.isnan(result.implied_carry).all()
    assert np.isfinite(result.forward).all()


def test_columns_may_hold_none() -> None:
    chain = with_sides(synthetic(2), calls=Side([None, 1.0], [2.0, None], [None, 3.0], [4, 5]), future=None)
    assert solve(join([chain])).call_open_interest.tolist() == [3.0]


def test_a_column_of_another_length_is_refused() -> None:
    chain = with_sides(synthetic(3), calls=Side([1.0] * 2, [2.0] * 3, [1.0] * 3, [1.0] * 3))
    with pytest.raises(ValueError, match="chain 1: a column of 2 entries for 3 strikes"):
        join([synthetic(3), chain])


def test_all_contracts_meet_one_volatility_call(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    original = door.implied_volatility

    def counting(prices: Any, *arguments: Any) -> Any:
        sizes.append(np.size(prices))
        return original(prices, *arguments)

    monkeypatch.setattr(door, "implied_volatility", counting)
    solve(join([synthetic(9), synthetic(21), synthetic(0)]))
    assert sizes == [(9 + 21) * 6]
