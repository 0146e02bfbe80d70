"""Captures in NSE's form: everything that is odd in them, and how they are played."""

import copy
import gzip
import json
from pathlib import Path

import pytest

from aro.contracts.codec import decode_chain, encode_message
from aro.contracts.market import (
    FLAG_CROSSED,
    FLAG_FRACTIONAL_OI,
    FLAG_NEVER_TRADED,
    FLAG_NO_ASK,
    FLAG_NO_BID,
    FLAG_NOT_LISTED,
)
from aro.quant.columns import chain_columns, check_tick
from feed_generator.feed import numbered
from feed_generator.provider import FeedError
from feed_generator.replay.capture import CaptureError, read_capture
from feed_generator.replay.provider import ReplayProvider, read_captures

HAND_MADE = Path(__file__).parent / "captures" / "nifty_2022-03-28.json"
CAPTURED = 1_648_444_639_000  # 28-Mar-2022 10:47:19 IST
NOW = 1_795_348_800_000
MINUTE = 60_000


@pytest.fixture
def document():
    return json.loads(HAND_MADE.read_text())


@pytest.fixture
def write(tmp_path):
    def to_file(document, name="capture.json"):
        path = tmp_path / name
        text = document if isinstance(document, bytes) else json.dumps(document).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return path

    return to_file


def front():
    return read_capture(HAND_MADE).chains[0]


def call(chain, strike, name):
    return getattr(chain.calls, name)[chain.strikes.index(strike)]


def put(chain, strike, name):
    return getattr(chain.puts, name)[chain.strikes.index(strike)]


def test_all_expiries_and_strikes_are_read():
    capture = read_capture(HAND_MADE)
    assert (capture.product, capture.ts, capture.spot, capture.skipped) == ("NIFTY", CAPTURED, 17022.5, {})
    assert [chain.expiry for chain in capture.chains] == ["2022-03-31", "2022-04-07", "2022-06-30"]
    assert front().strikes == [14000, 15000, 17000, 17050, 18500]


def test_every_chain_is_sound():
    for chain in read_capture(HAND_MADE).chains:
        chain_columns(numbered(chain, 1))
        assert decode_chain(encode_message(chain)) == chain


def test_a_complete_contract():
    chain = front()
    assert {name: call(chain, 17000, name) for name in chain.calls.__struct_fields__} == {
        "bid": 140.25,
        "ask": 140.9,
        "bid_size": 4.0,  # 200 units in lots of 50
        "ask_size": 1.0,
        "ltp": 140.5,
        "prev_close": 239.25,
        "volume": 5000,
        "open_interest": 1200,
        "open_interest_change": -28,
        "flags": 0,
    }
    assert (chain.contract_size, chain.tick_size, chain.origin) == (50, 0.05, "replay")


def test_zero_bid_and_zero_ask_are_null_with_a_flag():
    chain = front()
    assert (call(chain, 18500, "bid"), call(chain, 18500, "bid_size"), call(chain, 18500, "ask")) == (None, None, 0.05)
    assert call(chain, 18500, "flags") == FLAG_NO_BID
    assert (put(chain, 18500, "bid"), put(chain, 18500, "ask"), put(chain, 18500, "ask_size")) == (1471.5, None, None)
    assert put(chain, 18500, "flags") == FLAG_NO_ASK


def test_a_missing_leg_is_null_throughout():
    chain = front()
    names = [name for name in chain.calls.__struct_fields__ if name != "flags"]
    assert [call(chain, 15000, name) for name in names] == [None] * len(names)
    assert call(chain, 15000, "flags") == FLAG_NOT_LISTED


def test_what_never_traded_has_no_last_price():
    chain = front()
    assert (put(chain, 15000, "ltp"), put(chain, 15000, "prev_close"), put(chain, 15000, "volume")) == (None, None, 0)
    assert put(chain, 15000, "flags") == FLAG_NEVER_TRADED | FLAG_NO_ASK


def test_a_dead_strike_is_kept_without_prices():
    chain = front()
    assert call(chain, 14000, "flags") == FLAG_NO_BID | FLAG_NO_ASK | FLAG_NEVER_TRADED
    assert (call(chain, 14000, "bid"), call(chain, 14000, "ask")) == (None, None)
    assert call(chain, 14000, "open_interest") == 0


def test_crossed_quotes_are_null():
    chain = front()
    assert (call(chain, 17050, "bid"), call(chain, 17050, "ask"), call(chain, 17050, "ltp")) == (None, None, 112.0)
    assert call(chain, 17050, "flags") == FLAG_CROSSED


def test_fractional_open_interest_is_kept_and_flagged(document):
    chain = front()
    assert put(chain, 17050, "open_interest") == 319.5
    assert put(chain, 17050, "flags") == FLAG_FRACTIONAL_OI
    totals = document["filtered"]
    assert sum(filter(None, chain.calls.open_interest)) == totals["CE"]["totOI"]
    assert sum(filter(None, chain.puts.open_interest)) == totals["PE"]["totOI"]


def test_gzip_and_the_v3_names_read_the_same(document, write):
    expected = read_capture(HAND_MADE).chains
    names = {"bidprice": "buyPrice1", "askPrice": "sellPrice1", "bidQty": "buyQuantity1", "askQty": "sellQuantity1"}
    days = {"31-Mar-2022": "31-03-2022", "07-Apr-2022": "07-04-2022", "30-Jun-2022": "30-06-2022"}
    for row in document["records"]["data"]:
        row["expiryDates"] = days[row.pop("expiryDate")]
        for side in ("CE", "PE"):
            if side in row:
                row[side] = {names.get(name, name): value for name, value in row[side].items()}
    assert read_capture(write(document, "v3.json.gz")).chains == expected


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda row: row.update(strikePrice="17000"), "strikePrice is no number"),
        (lambda row: row.update(strikePrice=-5), "strikePrice is not positive"),
        (lambda row: row.update(expiryDate="soon"), "expiryDate is no date"),
        (lambda row: row.update(expiryDate=None), "expiryDate is no date"),
        (lambda row: row.update(expiryDate="24-Mar-2022"), "expired"),
        (lambda row: row["CE"].update(bidprice="-"), "bidprice is no number"),
        (lambda row: row["CE"].update(askPrice=float("nan")), "askPrice is no number"),
        (lambda row: row["PE"].update(lastPrice=float("inf")), "lastPrice is no number"),
        (lambda row: row["PE"].update(bidprice=-1), "bidprice is negative"),
        (lambda row: row["PE"].update(openInterest=True), "openInterest is no number"),
        (lambda row: row["PE"].pop("totalTradedVolume"), "totalTradedVolume is missing"),
        (lambda row: row["CE"].update(underlying="BANKNIFTY"), "leg is no contract of this product"),
        (lambda row: row.update(CE=[1, 2]), "leg is no contract of this product"),
    ],
)
def test_a_bad_row_is_skipped_and_counted(document, write, damage, reason):
    rows = document["records"]["data"]
    rows.append(copy.deepcopy(rows[0]))
    damage(rows[-1])
    capture = read_capture(write(document))
    assert capture.skipped == {reason: 1}
    assert capture.chains == read_capture(HAND_MADE).chains


def test_a_repeated_or_senseless_row_is_skipped(document, write):
    rows = document["records"]["data"]
    rows += [copy.deepcopy(rows[0]), 7, None]
    assert read_capture(write(document)).skipped == {"strike listed twice": 1, "row is no object": 2}


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda d: d.pop("records"), "'records' is missing"),
        (lambda d: d["records"].pop("data"), "'data' is missing"),
        (lambda d: d["records"].update(data=[]), "no row names its underlying"),
        (lambda d: d["records"].update(timestamp="yesterday"), "yesterday"),
        (lambda d: d["records"].pop("timestamp"), "'timestamp' is missing"),
        (lambda d: d["records"].update(underlyingValue=0), "underlyingValue is not a price"),
        (lambda d: d["records"].pop("underlyingValue"), "underlyingValue is missing"),
        (lambda d: d["records"]["data"][0]["CE"].update(underlying="DAX"), "'DAX' is not a product"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(document, write, damage, complaint):
    damage(document)
    path = write(document)
    with pytest.raises(CaptureError) as caught:
        read_capture(path)
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "name", "complaint"),
    [
        (b"", "empty.json", "not JSON"),
        (b"<html>Access Denied</html>", "denied.json", "not JSON"),
        (b"[1, 2]", "list.json", "not a JSON object"),
        (b"\xff\xfe\x00", "binary.json", "not JSON"),
        (b"[" * 100_000, "deep.json", "deep.json"),
        (b"{}", "half.json.gz", "gzip"),
    ],
)
def test_no_json_at_all(tmp_path, content, name, complaint):
    path = tmp_path / name
    path.write_bytes(gzip.compress(content)[:-4] if name == "half.json.gz" else content)
    with pytest.raises(CaptureError, match=complaint):
        read_capture(path)


def test_a_file_that_does_not_exist(tmp_path):
    with pytest.raises(CaptureError, match=r"nowhere\.json: No such file"):
        read_captures(tmp_path / "nowhere.json")
    with pytest.raises(FeedError, match=r"no \*\.json"):
        read_captures(tmp_path)


def test_products_restrict_what_is_played():
    assert read_captures(HAND_MADE, ("NIFTY", "SPY"))
    with pytest.raises(FeedError, match="holds no chain of BANKNIFTY"):
        read_captures(HAND_MADE, ("BANKNIFTY",))


# --- Playing -------------------------------------------------------------------------------
@pytest.fixture
def folder(document, write, tmp_path):
    """Three captures, 3 and 6 minutes apart; file names in another order than time."""
    for name, stamp, spot in (
        ("c.json", "28-Mar-2022 10:47:19", 17000.0),
        ("a.json.gz", "28-Mar-2022 10:50:19", 17010.0),
        ("b.json", "28-Mar-2022 10:56:19", 17020.0),
    ):
        document["records"].update(timestamp=stamp, underlyingValue=spot)
        write(document, name)
    (tmp_path / "notes.txt").write_text("not a capture")
    return tmp_path


def replay(path, *, speed=1.0, loop=False, start_ts=None):
    return ReplayProvider(read_captures(path), speed=speed, loop=loop, start_ts=start_ts)


def test_times_shift_to_now_and_time_to_expiry_stays():
    capture = read_capture(HAND_MADE)
    provider = replay(HAND_MADE)
    for now in (NOW, NOW + 1_000, NOW + 3_600_000):
        batch = provider.tick(now)
        check_tick(numbered(batch.ticks[0], 1))
        assert (batch.ticks[0].price, batch.ticks[0].source_ts, batch.ticks[0].origin) == (17022.5, now, "replay")
        for original, played in zip(capture.chains, batch.chains, strict=True):
            assert played.source_ts == now
            assert played.expiry == original.expiry
            assert played.expiry_ts - played.source_ts == original.expiry_ts - CAPTURED
            assert played.calls == original.calls


def test_time_to_expiry_is_counted_to_the_close_of_its_day():
    # 31-Mar-2022 15:30 IST
    assert front().expiry_ts == 1_648_720_800_000


def spots(provider, *minutes):
    return [provider.tick(NOW + round(minute * MINUTE)).ticks[0].price for minute in minutes]


def test_a_folder_is_played_in_the_order_of_its_timestamps(folder):
    provider = replay(folder)
    assert spots(provider, 0, 2.9, 3, 8.9, 9, 500) == [17000, 17000, 17010, 17010, 17020, 17020]


def test_speed(folder):
    provider = replay(folder, speed=60)
    assert spots(provider, 0, 0.04, 0.06, 0.16) == [17000, 17000, 17010, 17020]


def test_it_starts_at_any_instant_and_loops_from_there(folder):
    provider = replay(folder, loop=True, start_ts=CAPTURED + 6 * MINUTE)
    assert spots(provider, 0, 2.9, 3, 5.9, 6, 9) == [17010, 17010, 17020, 17020, 17010, 17020]
    assert spots(replay(folder, start_ts=CAPTURED - MINUTE), 0, 3) == [17000, 17010]


def test_an_instant_after_the_last_capture_is_refused(folder):
    with pytest.raises(FeedError, match="end before the instant of --from"):
        replay(folder, start_ts=CAPTURED + 60 * MINUTE)


def test_loop_starts_over_after_the_last_capture_was_shown(folder):
    provider = replay(folder, loop=True)
    assert spots(provider, 0, 3, 9, 11.9, 12, 15, 21, 24) == [17000, 17010, 17020, 17020, 17000, 17010, 17020, 17000]


def test_a_lone_capture_goes_on_with_and_without_loop():
    for loop in (False, True):
        provider = replay(HAND_MADE, loop=loop)
        assert spots(provider, 0, 1, 10_000) == [17022.5] * 3


def test_a_clock_that_goes_back_does_not_stop_a_replay(folder):
    provider = replay(folder)
    assert spots(provider, 0, -30, 3) == [17000, 17000, 17010]
