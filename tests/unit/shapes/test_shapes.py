"""Strikes, fields, rows and CSV: what was asked for and nothing else, with the numbers as published."""

import csv
import io
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.contracts import shapes
from aro.contracts.analytics import EnrichedChain
from aro.contracts.codec import encode_json
from aro.contracts.problems import InvalidRequest
from aro.contracts.shaped import ChainRow, ShapedChain, ShapedMetrics
from aro.contracts.shapes import AroundAtm, ChainShape, StrikeRange
from aro.testing import enriched

RECORD = enriched.record()
DATA = RECORD.data
METRICS = encode_json(RECORD.metrics)
STRIKES = list(enriched.STRIKES)


def shaped(**shape: Any) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(shapes.render_chain(DATA, ChainShape(**shape)))
    return document


# --- strikes -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["atm±5", "atm+-5", "atm -5", "atm:5"])
def test_every_way_to_write_a_window_around_the_money(text: str) -> None:
    assert shapes.parse_strikes(text) == AroundAtm(5)


def test_a_range_of_strikes_includes_its_ends() -> None:
    window = shapes.parse_strikes("24900..25000")
    assert window == StrikeRange(24_900.0, 25_000.0)
    assert shaped(window=window)["strikes"] == [24_900.0, 25_000.0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "atm",
        "ATM:5",
        "atm:",
        "atm:-5",
        "atm:5.5",
        "atm:12345",
        "atm5",
        "atm±٥",  # a digit, but of another script
        "24000",
        "24000..",
        "25000..24000",
        "24000...25000",
        "-1..5",
        "1e3..2e3",
        "nan..inf",
        " atm:5",
        "atm:5\n",
        "24000..25000,atm:1",
    ],
)
def test_what_is_no_window_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        shapes.parse_strikes(text)
    assert list(refusal.value.errors or {}) == ["strikes"]


@given(
    strikes=st.lists(st.integers(1, 60_000), min_size=1, max_size=60, unique=True).map(sorted),
    count=st.integers(0, 70),
    data=st.data(),
)
def test_a_window_around_the_money_is_centred_and_cut_at_the_ends(
    strikes: list[int], count: int, data: st.DataObject
) -> None:
    atm = data.draw(st.sampled_from(strikes))
    document = {"strikes": strikes, "atm_strike": atm, "calls": {"iv": strikes}, "puts": {"iv": strikes}}
    found = shapes.shape_chain(document, ChainShape(window=AroundAtm(count)))
    middle = strikes.index(atm)
    assert found["strikes"] == [k for i, k in enumerate(strikes) if abs(i - middle) <= count]
    assert found["calls"]["iv"] == found["puts"]["iv"] == found["strikes"]


@given(
    strikes=st.lists(st.integers(1, 60_000), max_size=60, unique=True).map(sorted),
    ends=st.tuples(st.integers(0, 60_000), st.integers(0, 60_000)).map(sorted),
)
def test_a_range_has_the_strikes_between_its_ends(strikes: list[int], ends: list[int]) -> None:
    document = {"strikes": strikes, "atm_strike": None, "calls": {}, "puts": {}}
    found = shapes.shape_chain(document, ChainShape(window=StrikeRange(*map(float, ends))))
    assert found["strikes"] == [k for k in strikes if ends[0] <= k <= ends[1]]


def test_a_window_around_an_unknown_strike_is_refused_rather_than_guessed() -> None:
    unknown = enriched.record(forward=None, atm_strike=None).data
    with pytest.raises(InvalidRequest, match="strikes"):
        shapes.render_chain(unknown, ChainShape(window=AroundAtm(1)))
    part = shapes.render_chain(unknown, ChainShape(window=StrikeRange(0.0, 24_900.0)))
    assert msgspec.json.decode(part)["strikes"] == [24_900.0]


# --- fields --------------------------------------------------------------------------------


def test_nothing_asked_for_is_the_published_bytes_themselves() -> None:
    assert shapes.render_chain(DATA, ChainShape()) is DATA
    assert shapes.render_metrics(METRICS, None) is METRICS


def test_everything_asked_for_is_the_published_bytes_again() -> None:
    every = frozenset({*shapes.HEAD_FIELDS, *shapes.LEG_FIELDS})
    assert shapes.render_chain(DATA, ChainShape(fields=every)) == DATA
    assert shapes.render_chain(DATA, ChainShape(window=AroundAtm(100))) == DATA
    assert shapes.render_metrics(METRICS, frozenset(shapes.METRICS_FIELDS)) == METRICS


def test_fields_of_head_and_quotes_with_the_identity() -> None:
    document = shaped(fields=shapes.parse_chain_fields("iv,spot"))
    assert list(document) == [
        *("product", "expiry", "spot", "strikes", "calls", "puts"),
        *("source_seq", "source_ts", "source_time", "id"),
    ]
    assert list(document["calls"]) == list(document["puts"]) == ["iv"]


def test_head_fields_alone_bring_no_quotes() -> None:
    assert set(shaped(fields=frozenset({"spot"}))) == {*shapes.IDENTITY, "spot"}
    assert "rows" not in shaped(fields=frozenset({"spot"}), rows=True)


def test_only_flags_is_a_name_of_both_head_and_quotes() -> None:
    assert set(shapes.HEAD_FIELDS) & set(shapes.LEG_FIELDS) == {"flags"}
    document = shaped(fields=frozenset({"flags"}))
    assert document["flags"] == []
    assert document["calls"]["flags"][1] == ["no_bid", "no_ask"]


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        shapes.parse_chain_fields("spot,vegga")
    assert refusal.value.errors == {"fields": ["Unknown: vegga."]}
    with pytest.raises(InvalidRequest):
        shapes.parse_metrics_fields("strikes")


@pytest.mark.parametrize("text", ["", ",", "spot,", "spot, iv", "SPOT", "<script>", "a" * 41, "calls", "strikes"])
def test_what_is_no_list_of_fields_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        shapes.parse_chain_fields(text)
    assert list(refusal.value.errors or {}) == ["fields"]


@given(
    fields=st.sets(st.sampled_from([*shapes.HEAD_FIELDS, *shapes.LEG_FIELDS]), min_size=1),
    rows=st.booleans(),
    count=st.none() | st.integers(0, 2),
)
def test_any_selection_is_what_its_schema_says(fields: set[str], rows: bool, count: int | None) -> None:
    window = None if count is None else AroundAtm(count)
    answer = shapes.render_chain(DATA, ChainShape(window, shapes.parse_chain_fields(",".join(fields)), rows))
    msgspec.json.decode(answer, type=ShapedChain)
    document = msgspec.json.decode(answer)
    assert set(document) - {"strikes", "calls", "puts", "rows"} == {*shapes.IDENTITY} | fields & {*shapes.HEAD_FIELDS}
    legs = fields & {*shapes.LEG_FIELDS}
    if rows and legs:
        assert {name for row in document["rows"] for name in row} == {*shapes.ROW_IDENTITY} | legs
        msgspec.convert(document["rows"], list[ChainRow])
    elif legs:
        assert set(document["calls"]) == set(document["puts"]) == legs


def test_metrics_with_some_fields() -> None:
    document = msgspec.json.decode(shapes.render_metrics(METRICS, shapes.parse_metrics_fields("pcr_oi,max_pain")))
    assert set(document) == {*shapes.IDENTITY, "pcr_oi", "max_pain"}
    msgspec.convert(document, ShapedMetrics)


# --- rows ----------------------------------------------------------------------------------


def test_rows_are_the_columns_by_contract() -> None:
    document = shapes.in_rows(RECORD.chain)
    rows = document.pop("rows")
    assert [row["strike"] for row in rows] == [strike for strike in STRIKES for _ in range(2)]
    assert [row["option_type"] for row in rows] == ["CE", "PE"] * len(STRIKES)
    assert rows[0]["symbol"] == "NIFTY-20261123-24900-CE"
    for option_type, side in (("CE", RECORD.chain.calls), ("PE", RECORD.chain.puts)):
        of_side = [row for row in rows if row["option_type"] == option_type]
        for name in side.__struct_fields__:
            assert [row[name] for row in of_side] == getattr(side, name)
    head = msgspec.to_builtins(RECORD.chain)
    assert document == {name: head[name] for name in shapes.HEAD_FIELDS}


def test_a_column_that_did_not_exist_is_left_out_of_the_rows() -> None:
    chain = RECORD.chain
    old = msgspec.structs.replace(chain, calls=msgspec.structs.replace(chain.calls, vanna=[], charm=[], volga=[]))
    rows = shapes.in_rows(old)["rows"]
    assert len(rows) == 2 * len(chain.strikes)
    assert "vanna" not in rows[0]
    assert rows[0]["delta"] == chain.calls.delta[0]
    assert rows[1]["vanna"] == chain.puts.vanna[0]


# --- CSV -----------------------------------------------------------------------------------


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))


def test_a_chain_as_csv_has_a_line_per_contract_that_says_what_it_is_of() -> None:
    lines = read_csv(shapes.chain_csv(DATA, ChainShape()))
    assert len(lines) == 2 * len(STRIKES)
    assert list(lines[0]) == [*shapes.IDENTITY, *shapes.ROW_IDENTITY, "spot", "forward", *shapes.LEG_FIELDS]
    assert lines[0]["id"] == RECORD.chain.id
    assert lines[0]["spot"] == "25000.0"
    assert [line["symbol"][-8:] for line in lines[:2]] == ["24900-CE", "24900-PE"]
    assert lines[2]["iv"] == ""  # null
    assert lines[4]["iv"] == "0.0"  # zero
    assert lines[2]["flags"] == "no_bid|no_ask"


def test_a_csv_with_fields_and_strikes() -> None:
    shape = ChainShape(AroundAtm(0), shapes.parse_chain_fields("iv,atm_strike,flags"))
    [call, put] = read_csv(shapes.chain_csv(DATA, shape))
    assert list(call) == [*shapes.IDENTITY, *shapes.ROW_IDENTITY, "atm_strike", "iv", "flags"]
    assert (call["strike"], call["option_type"], put["option_type"]) == ("25000.0", "CE", "PE")
    assert call["flags"] == "no_bid|no_ask"


def test_a_csv_of_head_fields_has_one_line() -> None:
    [line] = read_csv(shapes.chain_csv(DATA, ChainShape(fields=frozenset({"spot"}))))
    assert list(line) == [*shapes.IDENTITY, "spot"]


def test_csv_columns_do_not_depend_on_what_a_chain_has() -> None:
    chain = RECORD.chain
    quotes = msgspec.structs.replace(chain.calls, vanna=[], charm=[], volga=[])
    old: EnrichedChain = msgspec.structs.replace(chain, calls=quotes, puts=quotes)
    lines = read_csv(shapes.chain_csv(encode_json(old), ChainShape()))
    assert list(lines[0]) == shapes.chain_csv_columns(ChainShape())
    assert lines[0]["vanna"] == ""


def test_metrics_as_csv() -> None:
    [line] = read_csv(shapes.metrics_csv(METRICS, None))
    assert set(line) == set(shapes.METRICS_FIELDS)
    assert line["pcr_volume"] == ""
    assert line["iv_status_counts"] == '{"ok":4,"no_price":2}'
    [few] = read_csv(shapes.metrics_csv(METRICS, frozenset({"pcr_oi"})))
    assert few["pcr_oi"] == "0.7333"
    assert list(few) == [*shapes.IDENTITY, "pcr_oi"]
