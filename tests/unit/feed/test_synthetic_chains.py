"""The synthetic market over seeds, scenarios and products: no arbitrage, and a truth that can be recovered."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aro.contracts.market import FLAG_NEVER_TRADED, FLAG_NO_BID
from aro.contracts.products import PRODUCTS, product
from aro.quant.black import price
from aro.quant.columns import chain_columns, check_tick
from aro.quant.implied import IvStatus, implied_volatility
from aro.quant.ssvi import SsviParameters, violations
from feed_generator.feed import numbered
from feed_generator.synthetic.markets import MARKETS
from feed_generator.synthetic.provider import SyntheticProvider
from feed_generator.synthetic.scenarios import SCENARIOS

SUNDAY_NOON = 1_795_348_800_000  # 2026-11-22T12:00Z
DAY = 86_400_000


@st.composite
def batches(draw):
    """Some moment of some market: a few ticks after its start, with gaps as a real clock has them."""
    name = draw(st.sampled_from(sorted(PRODUCTS)))
    scenario = draw(st.sampled_from(sorted(SCENARIOS)))
    start = SUNDAY_NOON + draw(st.integers(0, 40 * DAY))
    provider = SyntheticProvider([name], seed=draw(st.integers(0, 2**31)), scenario=scenario, exchange_hours=False)
    batch = provider.tick(start)
    for gap in draw(st.lists(st.sampled_from([1_000, 30_000, 600_000]), max_size=4)):
        start += gap
        batch = provider.tick(start)
    return batch


def column(values):
    return np.array(values, dtype=np.float64)


class Side:
    """Quotes of one side as arrays; NaN where there is none."""

    def __init__(self, quotes):
        self.bid, self.ask = column(quotes.bid), column(quotes.ask)
        self.mid = (self.bid + self.ask) / 2


def tick_at(chain, values):
    """The tick size that applies at a price, from the product's published terms."""
    terms = product(chain.product).terms(np.datetime64(chain.expiry).astype(object))
    if terms.coarse_from is None:
        return np.full_like(values, terms.tick_size)
    return np.where(values >= terms.coarse_from - terms.coarse_tick, terms.coarse_tick, terms.tick_size)


def discount(truth):
    return np.exp(-truth["rate"] * truth["years"])


examples = settings(max_examples=60, deadline=None)


@examples
@given(batches())
def test_messages_are_sound(batch):
    for tick in batch.ticks:
        check_tick(numbered(tick, 1))
    for chain in batch.chains:
        columns = chain_columns(numbered(chain, 1))
        for side, quotes in ((columns.calls, chain.calls), (columns.puts, chain.puts)):
            assert np.all((side.bid < side.ask) | np.isnan(side.bid))
            assert np.all(side.ask_size > 0)
            assert np.all((side.bid_size > 0) | np.isnan(side.bid))
            flags = np.array(quotes.flags)
            assert np.array_equal(np.isnan(side.bid), flags & FLAG_NO_BID > 0)
            assert np.array_equal(np.isnan(side.bid), np.isnan(side.bid_size))
            assert np.array_equal(np.isnan(side.ltp), flags & FLAG_NEVER_TRADED > 0)
            assert np.array_equal(np.isnan(side.ltp), side.volume == 0)
            assert np.all(np.abs(side.open_interest_change) <= side.volume)
            assert np.all(side.open_interest - side.open_interest_change >= 0)


@examples
@given(batches())
def test_prices_are_on_the_tick_grid(batch):
    for chain in batch.chains:
        decimals = 2
        for quotes in (chain.calls, chain.puts):
            for values in (quotes.bid, quotes.ask, quotes.ltp, quotes.prev_close):
                prices = column([value for value in values if value is not None])
                ticks = prices / chain.tick_size
                assert np.all(np.abs(ticks - np.round(ticks)) < 1e-6)
                assert np.array_equal(prices, np.round(prices, decimals))


@examples
@given(batches())
def test_parity_holds_inside_the_spread(batch):
    for chain, truth in zip(batch.chains, batch.truths, strict=True):
        calls, puts = Side(chain.calls), Side(chain.puts)
        parity = discount(truth) * (truth["forward"] - column(chain.strikes))
        both = ~np.isnan(calls.bid) & ~np.isnan(puts.bid)
        rounding = 1e-9 * truth["forward"]
        assert np.all((calls.bid - puts.ask)[both] <= parity[both] + rounding)
        assert np.all((calls.ask - puts.bid)[both] >= parity[both] - rounding)


@examples
@given(batches())
def test_no_butterfly_or_vertical_is_negative_in_mids_beyond_tick_rounding(batch):
    for chain in batch.chains:
        for side, sign in ((Side(chain.calls), -1.0), (Side(chain.puts), 1.0)):
            half_tick = tick_at(chain, side.ask) / 2 + 1e-9
            butterfly = side.mid[:-2] - 2 * side.mid[1:-1] + side.mid[2:]
            rounding = half_tick[:-2] + 2 * half_tick[1:-1] + half_tick[2:]
            assert np.all((butterfly >= -rounding) | np.isnan(butterfly))
            slope = sign * np.diff(side.mid)
            assert np.all((slope >= -(half_tick[1:] + half_tick[:-1])) | np.isnan(slope))


@examples
@given(batches())
def test_no_calendar_is_negative_in_mids_beyond_tick_rounding(batch):
    """At the same K/F a later call is worth more of its forward.

    The later one is read off the chord between its two neighbouring strikes, which lies above a convex price.
    """
    pairs = list(zip(batch.chains, batch.truths, strict=True))
    for (near, near_truth), (far, far_truth) in pairwise(pairs):
        near_scale = discount(near_truth) * near_truth["forward"]
        far_scale = discount(far_truth) * far_truth["forward"]
        same = column(near.strikes) / near_truth["forward"] * far_truth["forward"]
        near_mid, far_mid = Side(near.calls).mid, Side(far.calls).mid
        inside = (same >= far.strikes[0]) & (same <= far.strikes[-1])
        later = np.interp(same, far.strikes, far_mid)
        half_tick = tick_at(near, near_mid) / 2
        gain = later / far_scale - near_mid / near_scale
        rounding = half_tick * (1 / far_scale + 1 / near_scale) + 1e-12
        assert np.all((gain >= -rounding) | np.isnan(gain) | ~inside)


@examples
@given(batches())
def test_the_truth_is_recovered_within_the_tick(batch):
    for chain, truth in zip(batch.chains, batch.truths, strict=True):
        strikes, sigma = column(chain.strikes), column(truth["iv"])
        fixed = (truth["forward"], strikes, truth["years"])
        for quotes, is_call in ((chain.calls, True), (chain.puts, False)):
            side = Side(quotes)
            half_tick = tick_at(chain, side.ask) / 2 + 1e-9 * truth["forward"]
            low = implied_volatility(side.mid - half_tick, *fixed, discount(truth), is_call)
            high = implied_volatility(side.mid + half_tick, *fixed, discount(truth), is_call)
            quoted = ~np.isnan(side.mid)
            assert np.all((sigma >= low.iv)[quoted & (low.status == IvStatus.OK)])
            assert np.all(low.status[quoted] != IvStatus.ABOVE_MAXIMUM)
            assert np.all(high.status[quoted] == IvStatus.OK)
            assert np.all((sigma <= high.iv)[quoted])


@examples
@given(batches())
def test_value_lies_between_bid_and_ask(batch):
    for chain, truth in zip(batch.chains, batch.truths, strict=True):
        for quotes, is_call in ((chain.calls, True), (chain.puts, False)):
            side = Side(quotes)
            value = price(
                truth["forward"], column(chain.strikes), truth["years"], truth["iv"], discount(truth), is_call
            )
            rounding = 1e-9 * truth["forward"]
            assert np.all(value <= side.ask + rounding)
            assert np.all((side.bid <= value + rounding) | np.isnan(side.bid))


@examples
@given(batches())
def test_the_truth_names_a_surface_without_arbitrage(batch):
    for truth in batch.truths:
        assert violations(SsviParameters(**truth["surface"])) == ()


@pytest.mark.parametrize("name", sorted(MARKETS))
def test_every_product_has_a_market(name):
    assert product(name).name in MARKETS
    assert violations(MARKETS[name].surface) == ()


def test_every_product_is_covered():
    assert set(MARKETS) == set(PRODUCTS)
