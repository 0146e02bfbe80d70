"""The past: as_of gives what was answered then, histories are what was published, gaps are gaps."""

import csv
import io

import pytest

from aro.adapters.clock import iso
from aro.contracts.symbols import contract_symbol

MINUTE_MS, STEP_MS = 60_000, 10_000
GAP = range(6, 8)
PLAIN = ("pcr", "straddle", "max-pain", "gex", "oi-change", "oi-buildup", "expected-move", "smile")
SURFACES = ("surface", "term-structure", "variance-index", "iv-rank")


@pytest.mark.parametrize("route", [*PLAIN, *SURFACES])
def test_as_of_gives_the_bytes_that_were_served(raw, market, route):
    path = f"/analytics/NIFTY/{route}"
    served = raw(path)
    assert served.status_code == 200
    again = raw(path, as_of=served.headers["As-Of"])
    assert again.data == served.data
    assert again.headers["As-Of"] == served.headers["As-Of"]
    assert again.headers["ETag"] == served.headers["ETag"]
    if route in PLAIN:
        earlier = raw(path, as_of=market.start_ms + 3 * MINUTE_MS + 1_234)
        assert earlier.headers["As-Of"] == iso(market.start_ms + 3 * MINUTE_MS)
        assert earlier.data != served.data


def test_numbers_of_an_instant_are_those_published_then(get, market):
    at = market.start_ms + 7 * MINUTE_MS + 30_000  # inside of the gap
    metrics = market.last(market.nearest, at).metrics
    assert metrics.source_ts == market.start_ms + GAP.start * MINUTE_MS - STEP_MS
    gex = get("/analytics/NIFTY/gex", as_of=at)
    assert (gex["gex_net"], gex["gex_flip"], gex["source_ts"]) == (metrics.gex_net, metrics.gex_flip, metrics.source_ts)
    assert get("/analytics/NIFTY/max-pain", as_of=iso(at))["max_pain"] == metrics.max_pain


def test_before_everything_there_is_nothing(get, market):
    early = market.start_ms - 1
    assert get("/analytics/NIFTY/gex", 404, as_of=early)["code"] == "unknown_expiry"
    assert get("/analytics/NIFTY/pcr", 404, as_of=early, expiry=market.nearest)["code"] == "unknown_expiry"
    assert get("/analytics/NIFTY/surface", 404, as_of=early)["code"] == "not_found"


# --- bars ----------------------------------------------------------------------------------


def expected_bars(points, width, until_ms):
    """Straight from what was published: no adapters, no arrays."""
    found = {}
    for ts, value in points:
        if ts <= until_ms and value is not None:
            found.setdefault(ts // width * width, []).append(value)
    return [
        {"start_ts": start, "open": v[0], "high": max(v), "low": min(v), "close": v[-1], "count": len(v)}
        for start, v in sorted(found.items())
    ]


def shown(answer):
    names = ("start_ts", "open", "high", "low", "close", "count")
    return [{name: bar[name] for name in names} for bar in answer["bars"]]


@pytest.mark.parametrize(("interval", "width"), [("1m", MINUTE_MS), ("5m", 5 * MINUTE_MS), ("15m", 15 * MINUTE_MS)])
@pytest.mark.parametrize("metric", ["spot", "forward", "atm_straddle", "iv_atm", "pcr_oi", "gex_net"])
def test_bars_are_those_of_what_was_published(get, market, interval, width, metric):
    metrics = market.metrics(market.nearest)
    points = [(item.source_ts, getattr(item, metric)) for item in metrics]
    if metric == "spot":
        points = [(tick.source_ts, tick.price) for tick in market.ticks]
    for until in (market.end_ms, market.start_ms + 10 * MINUTE_MS + 12_345):
        query = {} if until == market.end_ms else {"to": until}
        query["from"] = market.start_ms
        answer = get("/ohlc/NIFTY", interval=interval, metric=metric, **query)
        assert shown(answer) == expected_bars(points, width, until)
        assert [bar["complete"] for bar in answer["bars"]] == [
            bar["start_ts"] + width <= until + 1 for bar in answer["bars"]
        ]


def test_a_gap_is_a_gap(get, market):
    answer = get("/ohlc/NIFTY", **{"from": market.start_ms})
    starts = {bar["start_ts"] for bar in answer["bars"]}
    empty = [market.start_ms + minute * MINUTE_MS for minute in GAP]
    assert not starts & set(empty)
    [gap] = [gap for gap in answer["gaps"] if gap["from_ts"] >= market.start_ms]
    assert (gap["from_ts"], gap["to_ts"], gap["bars"]) == (empty[0], empty[-1] + MINUTE_MS, len(GAP))
    whole = get("/ohlc/NIFTY", **{"from": market.start_ms - 10 * MINUTE_MS})
    assert whole["gaps"][0]["from_ts"] == market.start_ms - 10 * MINUTE_MS


def test_a_day_is_the_exchange_s(get, market):
    answer = get("/ohlc/NIFTY", interval="1d")
    assert answer["timezone"] == "Asia/Kolkata"
    assert all(bar["start_time"].endswith("T18:30:00.000+00:00") for bar in answer["bars"])
    assert sum(bar["count"] for bar in answer["bars"]) == len(market.ticks)
    hours = get("/ohlc/NIFTY", interval="1h")
    assert {bar["start_ts"] % 3_600_000 for bar in hours["bars"]} == {45 * MINUTE_MS}


def test_csv_says_the_same(raw, market):
    query = {"from": market.start_ms, "interval": "5m"}
    answer = raw("/ohlc/NIFTY", sent={"Accept": "text/csv"}, **query)
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    bars = raw("/ohlc/NIFTY", **query).json["bars"]
    assert [float(row["close"]) for row in rows] == [bar["close"] for bar in bars]
    assert [int(row["start_ts"]) for row in rows] == [bar["start_ts"] for bar in bars]
    assert raw("/ohlc/NIFTY", sent={"Accept": "image/png"}).status_code == 406


def test_bars_of_a_contract(get, market):
    chain = market.last(market.nearest).chain
    at = chain.strikes.index(chain.atm_strike)
    symbol = contract_symbol("NIFTY", market.nearest, chain.atm_strike, "CE")
    chains = [record.chain for record in market.records if record.chain.expiry == market.nearest]
    for metric in ("ltp", "mid", "iv"):
        points = [(item.source_ts, getattr(item.calls, metric)[at]) for item in chains]
        points = [(ts, value) for ts, value in points if value is not None and value == value]
        answer = get(f"/ohlc/{symbol}", metric=metric, **{"from": market.start_ms})
        assert answer["expiry"] == market.nearest
        assert shown(answer) == expected_bars(points, MINUTE_MS, market.end_ms)


PROBLEMS = [
    ("/ohlc/DOGE", {}, 404, "unknown_product"),
    ("/ohlc/NIFTY-20261229-24550-XX", {}, 404, "unknown_product"),
    ("/ohlc/NIFTY", {"metric": "ltp"}, 404, "not_found"),
    ("/ohlc/NIFTY", {"metric": "moon"}, 422, "invalid_request"),
    ("/ohlc/NIFTY", {"interval": "2m"}, 422, "invalid_request"),
    ("/ohlc/NIFTY", {"from": "2020-01-01T00:00:00Z"}, 422, "invalid_request"),
    ("/ohlc/NIFTY", {"from": "2100-01-01T00:00:00Z"}, 422, "invalid_request"),
    ("/analytics/DOGE/pcr", {}, 404, "unknown_product"),
    ("/analytics/SPY/pcr", {}, 404, "unknown_expiry"),
    ("/analytics/SPY/surface", {}, 404, "not_found"),
    ("/analytics/NIFTY/pcr", {"expiry": "2031-01-01"}, 404, "unknown_expiry"),
    ("/analytics/NIFTY/gex", {"expiry": "2031-02-30"}, 422, "invalid_request"),
    ("/analytics/NIFTY/gex", {"scope": "some"}, 422, "invalid_request"),
    ("/analytics/NIFTY/gex", {"as-of": "1"}, 422, "invalid_request"),
    ("/analytics/NIFTY/gex", {"explain": "maybe"}, 422, "invalid_request"),
    ("/analytics/NIFTY/strategy", {}, 422, "invalid_request"),
    ("/analytics/NIFTY/strategy", {"legs": "24500XE"}, 422, "invalid_request"),
    ("/analytics/NIFTY/strategy", {"legs": "1CE"}, 404, "not_found"),
    ("/analytics/NIFTY/strategy", {"legs": "24500CE@2026-02-30"}, 404, "unknown_expiry"),
    ("/analytics/NIFTY/strategy", {"legs": ",".join(["24500CE"] * 9)}, 422, "invalid_request"),
    ("/analytics/NIFTY/oi-buildup", {"price_mode": "delta_adjusted"}, 422, "invalid_request"),
    ("/analytics/NIFTY/oi-change", {"window": "25h"}, 422, "invalid_request"),
    ("/analytics/NIFTY/surface", {"points": "1,,2"}, 422, "invalid_request"),
    ("/analytics/NIFTY/surface", {"points": ",".join(["1"] * 102)}, 422, "invalid_request"),
    ("/analytics/NIFTY/term-structure", {"interval": "1m", "from": "2026-11-20T00:00:00Z"}, 422, "invalid_request"),
    ("/analytics/NIFTY/realised", {"window": "1"}, 422, "invalid_request"),
]


@pytest.mark.parametrize(("path", "query", "status", "code"), PROBLEMS)
def test_what_cannot_be_answered_says_why(get, path, query, status, code):
    assert get(path, status, **query)["code"] == code


# --- histories -----------------------------------------------------------------------------


def closes(metrics, name):
    found = {}
    for item in metrics:
        found[item.source_ts // MINUTE_MS * MINUTE_MS] = getattr(item, name)
    return found


@pytest.mark.parametrize(
    ("route", "names"),
    [
        ("pcr", ("pcr_oi", "pcr_volume", "call_open_interest")),
        ("straddle", ("atm_straddle", "atm_strike", "iv_atm")),
        ("expected-move", ("expected_move_1sd", "forward")),
    ],
)
def test_histories_are_the_last_values_of_minutes(get, market, route, names):
    history = get(f"/analytics/NIFTY/{route}", interval="1m", **{"from": market.start_ms})["history"]
    for name in names:
        expected = closes(market.metrics(market.nearest), name)
        assert dict(zip(history["ts"], history["columns"][name], strict=True)) == expected
    assert [gap["bars"] for gap in history["gaps"]] == [len(GAP)]


def test_a_pooled_history_is_a_ratio_of_sums(get, market):
    history = get("/analytics/NIFTY/pcr", scope="all", interval="1m", **{"from": market.start_ms})["history"]
    calls, puts = (
        [closes(market.metrics(expiry), f"{side}_open_interest") for expiry in market.expiries]
        for side in ("call", "put")
    )
    for ts, ratio in zip(history["ts"], history["columns"]["pcr_oi"], strict=True):
        expected = sum(side[ts] for side in puts) / sum(side[ts] for side in calls)
        assert ratio == pytest.approx(expected, rel=1e-9)


def test_a_history_ends_where_it_is_told(get, market):
    end = market.start_ms + 4 * MINUTE_MS + 10_000
    answer = get("/analytics/NIFTY/straddle", **{"from": market.start_ms, "to": end})
    assert answer["source_ts"] == end
    assert answer["history"]["ts"][-1] == market.start_ms + 4 * MINUTE_MS
    assert answer["history"]["columns"]["atm_straddle"][-1] == answer["atm_straddle"]


def test_histories_of_surfaces(get, market):
    answer = get("/analytics/NIFTY/variance-index", interval="1m", **{"from": market.start_ms})
    history = answer["history"]
    assert len(history["ts"]) > 10
    assert history["columns"]["cboe"][-1] == answer["variance_index"]["cboe"]
    term = get("/analytics/NIFTY/term-structure", interval="1m", **{"from": market.start_ms})
    assert term["history"]["columns"]["iv_30d"][-1] == next(
        point["iv"] for point in term["constant_maturity"] if point["days"] == 30
    )


# --- strategies and open interest ----------------------------------------------------------


def test_a_spread_is_its_legs(get, market):
    chain = market.last(market.nearest).chain
    at = chain.strikes.index(chain.atm_strike)
    low, high = chain.strikes[at], chain.strikes[at + 2]
    answer = get("/analytics/NIFTY/strategy", legs=f"{low:g}CE,-2x{high:g}CE")
    calls = chain.calls
    assert answer["price"] == pytest.approx(calls.mid[at] - 2 * calls.mid[at + 2])
    assert answer["cost"] == pytest.approx(calls.ask[at] - 2 * calls.bid[at + 2])
    assert answer["proceeds"] == pytest.approx(calls.bid[at] - 2 * calls.ask[at + 2])
    for name in ("delta", "gamma", "vega", "theta", "rho"):
        column = getattr(calls, name)
        assert answer[name] == pytest.approx(column[at] - 2 * column[at + 2], abs=1e-8)
    assert [leg["quantity"] for leg in answer["legs"]] == [1, -2]
    assert answer["contract_size"] == chain.contract_size


def test_a_calendar_spread_takes_each_expiry_s_chain(get, market):
    near, far = market.expiries[:2]
    strike = market.last(near).chain.atm_strike
    answer = get("/analytics/NIFTY/strategy", legs=f"-{strike:g}PE,{strike:g}PE@{far}")
    assert [leg["expiry"] for leg in answer["legs"]] == [near, far]
    mids = [(c := market.last(e).chain).puts.mid[c.strikes.index(strike)] for e in (near, far)]
    assert answer["price"] == pytest.approx(mids[1] - mids[0])


def test_a_strategy_s_history_is_its_price_then(get, market):
    strike = market.last(market.nearest).chain.atm_strike
    legs = f"{strike:g}CE,{strike:g}PE"
    answer = get("/analytics/NIFTY/strategy", legs=legs, interval="1m", **{"from": market.start_ms})
    history = answer["history"]
    for ts, price in zip(history["ts"], history["columns"]["price"], strict=True):
        chain = market.last(market.nearest, ts + MINUTE_MS - 1).chain
        at = chain.strikes.index(strike)
        assert price == pytest.approx(chain.calls.mid[at] + chain.puts.mid[at])
    assert history["columns"]["price"][-1] == pytest.approx(answer["price"])
    assert [gap["bars"] for gap in history["gaps"]] == [len(GAP)]


def test_open_interest_over_a_window(get, market):
    now = market.last(market.nearest).chain
    before = market.last(market.nearest, now.source_ts - 5 * MINUTE_MS).chain
    answer = get("/analytics/NIFTY/oi-change", window="5m")
    assert (answer["basis"], answer["from_ts"]) == ("window", before.source_ts)
    expected = [a - b for a, b in zip(now.calls.open_interest, before.calls.open_interest, strict=True)]
    assert answer["calls"]["open_interest_change"] == expected
    assert answer["call_open_interest_change"] == sum(expected)
    same = get("/analytics/NIFTY/oi-change", **{"from": before.source_ts})
    assert same["calls"] == answer["calls"]
    built = get("/analytics/NIFTY/oi-buildup", window="5m", price_mode="delta_adjusted", explain=1)
    assert len(built["explain"]["snapshots"]) == 2
    moved = now.spot - before.spot
    for i, change in enumerate(built["calls"]["price_change"]):
        parts = now.calls.ltp[i], before.calls.ltp[i], before.calls.delta[i]
        if change is not None:
            assert change == pytest.approx(parts[0] - parts[1] - parts[2] * moved, abs=1e-4)


def test_realised_beside_implied(get, market):
    answer = get("/analytics/NIFTY/realised", interval="1m", window=10, explain=1)
    assert answer["bars"] == 10
    assert answer["bars_per_year"] == 252 * 385  # NSE's derivatives trade from 09:15 to 15:40
    assert 0 < answer["close_to_close"] < 1
    assert answer["premium"] == pytest.approx(answer["implied"] - answer["close_to_close"], abs=2e-6)
    own = get("/analytics/NIFTY/realised", interval="1m", window=10, expiry=market.nearest)
    assert own["implied"] == market.last(market.nearest).metrics.iv_atm
    again = get("/analytics/NIFTY/realised", interval="1m", window=10, as_of=answer["source_ts"])
    assert again["close_to_close"] == answer["close_to_close"]
    none = get("/analytics/NIFTY/realised", interval="1d", window=20)
    assert (none["bars"], none["close_to_close"], none["premium"]) == (0, None, None)


def test_a_surface_along_each_axis(get, market):
    by_delta = get("/analytics/NIFTY/surface", axis="delta", points="0.25,0.5,0.75")
    for row, item in zip(by_delta["grid"]["rows"], by_delta["slices"], strict=True):
        # A constant 25-delta risk reversal is read off the same curve.
        assert row["iv"][0] - row["iv"][2] == pytest.approx(item["rr25"], abs=3e-6)
    by_strike = get("/analytics/NIFTY/surface", axis="strike")
    assert len(by_strike["grid"]["points"]) == 41
    assert all(strike % 50 == 0 for strike in by_strike["grid"]["points"])
    one = by_strike["slices"][0]
    at = get("/analytics/NIFTY/surface", axis="strike", points=f"{one['forward']:.4f}")
    assert at["grid"]["rows"][0]["iv"][0] == pytest.approx(one["iv_atm"], abs=1e-5)
    outside = get("/analytics/NIFTY/surface", axis="strike", points="1,-5,999999")
    assert outside["grid"]["rows"][0]["iv"] == [None, None, None]
    days = get("/analytics/NIFTY/term-structure", days="9,30,1000")["constant_maturity"]
    assert [point["days"] for point in days] == [9, 30, 1000]
    assert days[2]["iv"] is None
