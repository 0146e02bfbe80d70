"""The synthetic market over time: what moves, what accumulates, what is listed."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aro.contracts.codec import encode_message
from feed_generator.synthetic.markets import MARKETS
from feed_generator.synthetic.provider import SyntheticProvider
from feed_generator.synthetic.scenarios import SCENARIOS
from feed_generator.synthetic.underlying import Underlying

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
SUNDAY_NOON = 1_795_348_800_000  # 2026-11-22T12:00Z
FRONT_EXPIRY = 1_795_428_600_000  # 2026-11-23T10:10Z: NIFTY's Tuesday contract, moved by a holiday


def provider(*products, seed=1, scenario="calm", exchange_hours=False):
    return SyntheticProvider(products, seed=seed, scenario=scenario, exchange_hours=exchange_hours)


def contracts(batch):
    """(expiry, strike, side) → its column values as a dict."""
    result = {}
    for chain in batch.chains:
        for side in ("calls", "puts"):
            quotes = getattr(chain, side)
            for i, strike in enumerate(chain.strikes):
                result[chain.expiry, strike, side] = {
                    name: getattr(quotes, name)[i]
                    for name in ("volume", "open_interest", "open_interest_change", "ltp", "bid", "ask", "prev_close")
                }
    return result


def encoded(batch):
    return [encode_message(message) for message in (*batch.ticks, *batch.chains)]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**63), gaps=st.lists(st.integers(1, 3 * MINUTE), min_size=1, max_size=6))
def test_same_seed_and_same_clock_give_the_same_bytes(seed, gaps):
    one, other = (provider("NIFTY", "AAPL", seed=seed) for _ in range(2))
    now = SUNDAY_NOON
    for gap in gaps:
        now += gap
        assert encoded(one.tick(now)) == encoded(other.tick(now))


def test_another_seed_gives_another_market():
    assert encoded(provider("NIFTY", seed=1).tick(SUNDAY_NOON)) != encoded(provider("NIFTY", seed=2).tick(SUNDAY_NOON))


def test_a_product_does_not_depend_on_its_neighbours():
    alone, together = provider("SPY"), provider("NIFTY", "SPY", "AAPL")
    for now in range(SUNDAY_NOON, SUNDAY_NOON + 5 * SECOND, SECOND):
        expected = encoded(alone.tick(now))
        batch = together.tick(now)
        batch.ticks[:] = [tick for tick in batch.ticks if tick.product == "SPY"]
        batch.chains[:] = [chain for chain in batch.chains if chain.product == "SPY"]
        assert encoded(batch) == expected


def test_products_in_turns_tick_as_they_would_alone():
    names = ("NIFTY", "SPY", "AAPL", "SENSEX", "BANKNIFTY")
    together = provider(*names)
    assert together.take_turns(2) == 2
    alone = {name: provider(name) for name in names}
    for n in range(6):
        now = SUNDAY_NOON + n * SECOND // 2
        batch = together.tick(now)
        turn = names[n % 2 :: 2]
        assert [tick.product for tick in batch.ticks] == list(turn)
        expected = [message for name in turn for message in encoded(alone[name].tick(now))]
        assert sorted(encoded(batch)) == sorted(expected)
    assert together.take_turns(99) == len(names)
    assert together.take_turns(0) == 1


def test_an_expiry_beyond_thirty_days_is_listed_on_every_day():
    for now in range(SUNDAY_NOON, SUNDAY_NOON + 400 * DAY, 2 * DAY):
        expiries = [chain.expiry_ts for chain in provider("NIFTY").tick(now).chains]
        assert max(expiries) > now + 30 * DAY, now
        assert 4 <= len(expiries) <= 6


def test_the_default_feed_has_its_products_and_expiries():
    batch = provider("NIFTY", "BANKNIFTY", "FINNIFTY", "SENSEX", "SPY", "AAPL").tick(SUNDAY_NOON)
    assert len(batch.ticks) == 6
    by_product = {}
    for chain in batch.chains:
        by_product.setdefault(chain.product, []).append(chain.expiry)
    assert {name: len(expiries) for name, expiries in by_product.items()} == {
        "NIFTY": 4,
        "BANKNIFTY": 3,
        "FINNIFTY": 3,
        "SENSEX": 4,
        "SPY": 5,
        "AAPL": 5,
    }
    assert by_product["NIFTY"] == ["2026-11-23", "2026-12-01", "2026-12-08", "2026-12-29"]
    assert all(len(chain.strikes) == 81 for chain in batch.chains)
    nifty = batch.chains[0]
    assert (nifty.contract_size, nifty.tick_size, nifty.expiry_ts) == (65, 0.05, FRONT_EXPIRY)


@pytest.mark.parametrize("scenario", ["calm", "crash"])
def test_volume_rises_and_open_interest_follows_it_once_a_minute(scenario):
    market = provider("NIFTY", scenario=scenario, seed=3)
    before = contracts(market.tick(SUNDAY_NOON))
    at_last_oi = before
    changes = 0
    for now in range(SUNDAY_NOON + 5 * SECOND, SUNDAY_NOON + 10 * MINUTE, 5 * SECOND):
        current = contracts(market.tick(now))
        known = current.keys() & before.keys()
        assert all(current[key]["volume"] >= before[key]["volume"] for key in known)
        if any(current[key]["open_interest"] != before[key]["open_interest"] for key in known):
            changes += 1
            for key in current.keys() & at_last_oi.keys():
                moved = abs(current[key]["open_interest"] - at_last_oi[key]["open_interest"])
                assert moved <= current[key]["volume"] - at_last_oi[key]["volume"]
            at_last_oi = current
        before = current
    assert 9 <= changes <= 10


def test_last_trades_are_old_where_little_trades():
    market = provider("NIFTY", seed=4)
    first = contracts(market.tick(SUNDAY_NOON))
    for now in range(SUNDAY_NOON, SUNDAY_NOON + MINUTE, SECOND):
        last = contracts(market.tick(now))
    traded = {key: last[key]["volume"] > first[key]["volume"] for key in first}
    spot = 24_550
    at_the_money = [traded[key] for key in traded if key[0] == "2026-11-23" and abs(key[1] - spot) <= 100]
    far_out = [traded[key] for key in traded if key[0] == "2026-11-23" and abs(key[1] - spot) >= 1_000]
    assert all(at_the_money)
    assert sum(far_out) < len(far_out) / 2
    assert all(last[key]["ltp"] == first[key]["ltp"] for key in first if not traded[key])


def test_a_last_trade_is_at_a_quoted_price():
    market = provider("SPY", seed=5)
    before = contracts(market.tick(SUNDAY_NOON))
    for now in range(SUNDAY_NOON + SECOND, SUNDAY_NOON + 20 * SECOND, SECOND):
        current = contracts(market.tick(now))
        for key, contract in current.items():
            if contract["volume"] > before[key]["volume"]:
                assert contract["ltp"] in (contract["bid"], contract["ask"])
            else:
                assert contract["ltp"] == before[key]["ltp"]
        before = current


def test_an_expired_chain_disappears_and_the_next_one_appears():
    market = provider("NIFTY")
    last = market.tick(FRONT_EXPIRY - 1)
    rolled = market.tick(FRONT_EXPIRY)
    assert [chain.expiry for chain in last.chains] == ["2026-11-23", "2026-12-01", "2026-12-08", "2026-12-29"]
    assert [chain.expiry for chain in rolled.chains] == ["2026-12-01", "2026-12-08", "2026-12-15", "2026-12-29"]
    kept = contracts(last)
    for key, contract in contracts(rolled).items():
        if key in kept:
            assert contract["volume"] >= kept[key]["volume"]


def test_a_new_day_starts_volume_and_changes_again():
    market = provider("NIFTY")
    midnight = SUNDAY_NOON + 6 * HOUR + 30 * MINUTE  # in Mumbai
    for now in range(midnight - MINUTE, midnight, 10 * SECOND):
        yesterday = market.tick(now)
    today = market.tick(midnight)
    assert today.ticks[0].prev_close == yesterday.ticks[0].price
    old, new = contracts(yesterday), contracts(today)
    assert all(contract["volume"] == 0 == contract["open_interest_change"] for contract in new.values())
    assert all(contract["ltp"] is None for contract in new.values())
    assert all(new[key]["open_interest"] == old[key]["open_interest"] for key in new)
    for key, contract in new.items():
        assert (old[key]["bid"] or 0) <= contract["prev_close"] <= old[key]["ask"]


def test_strikes_stay_until_spot_leaves_the_middle():
    market = provider("NIFTY", scenario="crash", seed=1)
    listings = []
    spots = []
    for now in range(SUNDAY_NOON, SUNDAY_NOON + 12 * MINUTE, 2 * SECOND):
        batch = market.tick(now)
        listings.append(tuple(batch.chains[0].strikes))
        spots.append(batch.ticks[0].price)
        centre = (listings[-1][0] + listings[-1][-1]) / 2
        assert abs(spots[-1] - centre) <= 9 * 50
    changes = sum(one != other for one, other in pairwise(listings))
    assert 3 <= changes <= 8
    assert len(set(map(len, listings))) == 1


def test_contracts_that_are_listed_again_come_back_as_they_were():
    market = provider("NIFTY", scenario="crash", seed=2)
    seen = {}
    for now in range(SUNDAY_NOON, SUNDAY_NOON + 3 * HOUR, 2 * MINUTE):
        for key, contract in contracts(market.tick(now)).items():
            assert contract["volume"] >= seen.get(key, 0.0)
            seen[key] = contract["volume"]


def test_crash_falls_and_volatility_jumps():
    market = provider("BANKNIFTY", scenario="crash")
    before = market.tick(SUNDAY_NOON)
    for now in range(SUNDAY_NOON, SUNDAY_NOON + 12 * MINUTE, 10 * SECOND):
        after = market.tick(now)
    assert -0.09 < math.log(after.ticks[0].price / before.ticks[0].price) < -0.05
    assert after.truths[0]["surface"]["sigma_zero"] > 1.8 * before.truths[0]["surface"]["sigma_zero"]


@pytest.mark.parametrize("scenario", ["calm", "trend", "crash", "expiry-day"])
def test_no_scenario_runs_away(scenario):
    market = provider("SENSEX", scenario=scenario, seed=9)
    spots = [market.tick(now).ticks[0].price for now in range(SUNDAY_NOON, SUNDAY_NOON + 2 * DAY, 10 * MINUTE)]
    assert 0.8 < min(spots) / 80_500 <= max(spots) / 80_500 < 1.2


def test_trend_rises_then_falls():
    market = provider("NIFTY", scenario="trend")
    prices = {}
    for now in range(SUNDAY_NOON, SUNDAY_NOON + 8 * HOUR + MINUTE, MINUTE):
        prices.setdefault((now - SUNDAY_NOON) // HOUR, market.tick(now).ticks[0].price)
    assert prices[4] / prices[0] > 1.015
    assert prices[8] < prices[4]


def test_expiry_day_lists_a_contract_that_expires_within_the_half_hour():
    market = provider("NIFTY", scenario="expiry-day")
    batch = market.tick(SUNDAY_NOON)
    front = batch.chains[0]
    assert (front.expiry, front.expiry_ts) == ("2026-11-22", SUNDAY_NOON + 30 * MINUTE)
    last = market.tick(front.expiry_ts - 1)
    assert last.chains[0].expiry == "2026-11-22"
    # In its last minute the contract is worth its intrinsic value, but for the strikes next to the spot.
    parity = np.array(last.chains[0].strikes) - last.ticks[0].price
    asks = np.array(last.chains[0].puts.ask)
    assert np.all(np.abs(asks - np.maximum(parity, 0))[np.abs(parity) > 100] < 5)
    after = market.tick(front.expiry_ts)
    assert "2026-11-22" not in [chain.expiry for chain in after.chains]
    assert len(after.chains) == 4


def test_exchange_hours_are_silent_when_the_exchange_is_closed():
    market = provider("NIFTY", "SPY", exchange_hours=True)
    assert market.tick(SUNDAY_NOON) == market.tick(SUNDAY_NOON + HOUR)
    assert market.tick(SUNDAY_NOON).chains == []
    monday_open = SUNDAY_NOON + 15 * HOUR + 45 * MINUTE
    assert market.tick(monday_open - 1).ticks == []
    opening = market.tick(monday_open)
    assert [tick.product for tick in opening.ticks] == ["NIFTY"]
    assert {chain.product for chain in opening.chains} == {"NIFTY"}
    assert all(contract["volume"] == 0 for contract in contracts(opening).values())
    assert market.tick(FRONT_EXPIRY).ticks == []
    new_york = market.tick(SUNDAY_NOON + DAY + 5 * HOUR)
    assert [tick.product for tick in new_york.ticks] == ["SPY"]


def test_realised_volatility_is_that_of_the_surface():
    market = MARKETS["NIFTY"]
    underlying = Underlying(market, SCENARIOS["calm"], np.random.default_rng(1), clock_rate=1.0)
    log_spots, variances = [], []
    for _ in range(20_000):
        underlying.advance(60.0)
        log_spots.append(math.log(underlying.spot))
        variances.append(underlying.surface().sigma_zero ** 2)
    realised = np.std(np.diff(log_spots)) * math.sqrt(365 * 24 * 60)
    # The standard error of a volatility is 1/sqrt(2n) = 0.5 %.
    assert realised == pytest.approx(math.sqrt(np.mean(variances)), rel=0.02)


@pytest.mark.parametrize("jump", [-HOUR, HOUR, 30 * DAY])
def test_a_jump_of_the_clock_is_survived(jump):
    market = provider("NIFTY")
    before = market.tick(SUNDAY_NOON)
    after = market.tick(SUNDAY_NOON + jump)
    assert all(chain.expiry_ts > SUNDAY_NOON + jump for chain in after.chains)
    assert after.ticks[0].price == pytest.approx(before.ticks[0].price, rel=0.01)
    assert market.tick(SUNDAY_NOON + jump + SECOND).chains
    corrected = market.tick(SUNDAY_NOON + 5 * SECOND)
    assert [chain.expiry for chain in corrected.chains] == [chain.expiry for chain in before.chains]
