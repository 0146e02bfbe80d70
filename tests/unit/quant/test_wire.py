"""The compiled way between messages and arrays against msgspec, which it must not differ from by a byte."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aro.contracts.codec import decode_chain, decode_raw_chain, encode_message
from aro.contracts.market import ChainSnapshot, Quotes, RawChain
from aro.contracts.problems import MessageRejected
from aro.quant import wire
from aro.quant.columns import ChainColumns, chain_columns
from aro.testing import factories

to_msgpack, to_json = msgspec.msgpack.encode, msgspec.json.encode


def read(message: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    raw = decode_raw_chain(message)
    return None if raw is None else wire.read(bytes(raw.strikes), bytes(raw.calls), bytes(raw.puts))


def rows_of(columns: ChainColumns) -> np.ndarray:
    return np.stack([columns.strikes, *columns.calls, *columns.puts])


prices = st.none() | st.floats(0.01, 1e7, allow_subnormal=False) | st.integers(1, 2**40)
counts = st.none() | st.floats(0, 1e12) | st.integers(0, 2**63)
changes = st.none() | st.floats(-1e9, 1e9) | st.integers(-(2**31), 2**31)


@st.composite
def sides(draw: st.DrawFn, size: int) -> dict[str, Any]:
    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=size, max_size=size))

    bids, spreads = column(prices), column(st.none() | st.floats(0, 10))
    asks = [
        None if s is None else s if bid is None or s == 0 else bid + s for bid, s in zip(bids, spreads, strict=True)
    ]
    return {
        "bid": bids,
        "ask": [None if ask == 0 else ask for ask in asks],
        **{name: column(counts) for name in ("bid_size", "ask_size", "volume", "open_interest")},
        **{name: column(prices) for name in ("ltp", "prev_close")},
        "open_interest_change": column(changes),
        "flags": column(st.integers(0, 63)),
    }


@st.composite
def chains(draw: st.DrawFn) -> ChainSnapshot:
    size = draw(st.integers(1, 40))
    steps = draw(st.lists(st.floats(0.5, 500) | st.integers(1, 500), min_size=size, max_size=size))
    calls, puts = (Quotes(**draw(sides(size))) for _ in range(2))
    return factories.chain(strikes=np.cumsum(steps).tolist(), calls=calls, puts=puts)


@given(chains())
@settings(max_examples=150, deadline=None)
def test_what_is_sound_is_read_as_by_msgspec(chain: ChainSnapshot) -> None:
    message = encode_message(chain)
    found = read(message)
    assert found is not None
    rows, flags = found
    snapshot = decode_chain(message)
    np.testing.assert_array_equal(rows, rows_of(chain_columns(snapshot)))
    assert flags.tolist() == [snapshot.calls.flags, snapshot.puts.flags]


@given(chains(), st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_msgspec_rejects_is_not_read(chain: ChainSnapshot, data: st.DataObject) -> None:
    """Bytes changed, left out or added: read as by msgspec, or not at all, and never past the end."""
    message = bytearray(encode_message(chain))
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(message) - 1))
        what = data.draw(st.sampled_from(["set", "cut", "insert"]))
        if what == "set":
            message[where] = data.draw(st.integers(0, 255))
        elif what == "cut":
            del message[where : where + data.draw(st.integers(1, 9))]
        else:
            message[where:where] = data.draw(st.binary(min_size=1, max_size=9))
        if not message:
            break
    found = read(bytes(message))
    if found is not None:
        snapshot = decode_chain(bytes(message))
        valid = msgspec.structs.replace(snapshot, **{name: getattr(chain, name) for name in HEAD})
        np.testing.assert_array_equal(found[0], rows_of(chain_columns(valid)))


HEAD = [name for name in RawChain.__struct_fields__ if name not in ("strikes", "calls", "puts")]


@pytest.mark.parametrize(
    "fields",
    [
        {"strikes": [24_900.0, 24_950.0, 25_000.0, 25_050.0, math.nan]},
        {"strikes": [24_900.0, 24_950.0, 25_000.0, 25_050.0, math.inf]},
        {"strikes": [24_900.0, 24_950.0, 25_000.0, 25_000.0, 25_100.0]},
        {"strikes": [-1.0, 24_950.0, 25_000.0, 25_050.0, 25_100.0]},
        {"strikes": []},
        {"strikes": [float(i + 1) for i in range(2_001)]},
        {"calls": factories.quotes([9.0] * 5, [8.0] * 5)},
        {"calls": factories.quotes([9.0] * 4, [10.0] * 4)},
        {"puts": factories.quotes([0.0] * 5, [8.0] * 5)},
        {"puts": factories.quotes([math.nan] * 5, [8.0] * 5)},
        {"puts": factories.quotes([1.0] * 5, [math.inf] * 5)},
        {"puts": factories.quotes([1.0] * 5, [2.0] * 5, volume=[-1.0] * 5)},
        {"puts": factories.quotes([1.0] * 5, [2.0] * 5, flags=[64] * 5)},
        {"puts": factories.quotes([1.0] * 5, [2.0] * 5, flags=[0] * 4)},
    ],
)
def test_what_is_not_sound_is_left_to_msgspec(fields: dict[str, Any]) -> None:
    message = encode_message(factories.chain(**fields))
    assert read(message) is None
    with pytest.raises(MessageRejected):
        chain_columns(decode_chain(message))


def test_a_form_that_msgspec_does_not_write_is_left_to_it() -> None:
    chain = msgspec.to_builtins(factories.chain())
    chain["calls"] = dict(reversed(chain["calls"].items()))
    message = to_msgpack(chain)
    assert read(message) is None
    assert decode_chain(message) == factories.chain()


# --- writing -------------------------------------------------------------------------------


def written(values: np.ndarray, decimals: int) -> bytes | None:
    column = wire.Column(values, decimals)
    [text] = wire.Writer().write(np.array([0, len(values)]), [(b"[", column)], b"]")
    return text


def expected(values: np.ndarray, decimals: int) -> bytes:
    return to_json((values if decimals == wire.AS_IT_CAME else np.round(values, decimals)).tolist())


@pytest.mark.parametrize("decimals", [4, 6, 9])
@pytest.mark.parametrize("size", [1e-9, 1e-7, 1e-5, 1e-3, 1.0, 1e3, 1e5])
def test_rounded_numbers_are_those_of_msgspec(decimals: int, size: float) -> None:
    values = np.random.default_rng(decimals).normal(size=20_000) * size
    assert written(values, decimals) == expected(values, decimals)


@pytest.mark.parametrize("unit", [20, 100, 10_000, 1_000_000])
def test_numbers_as_they_came_are_those_of_msgspec(unit: int) -> None:
    values = np.random.default_rng(unit).integers(-(10**9), 10**9, size=20_000) / unit
    assert written(values, wire.AS_IT_CAME) == expected(values, wire.AS_IT_CAME)


@given(st.lists(st.floats(), min_size=1, max_size=30), st.sampled_from(wire.ROUNDINGS))
@settings(max_examples=500, deadline=None)
def test_any_number_is_written_as_by_msgspec_or_not_at_all(values: list[float], decimals: int) -> None:
    array = np.array(values)
    found = written(array, decimals)
    with np.errstate(all="ignore"):
        assert found is None or found == expected(array, decimals)


def test_edges() -> None:
    values = np.array([0.0, -0.0, 1e-12, -1e-12, 0.5, 2.5e-7, 1e-5, 9.5e-6, 1e-6, math.nan, math.inf, -math.inf])
    for decimals in wire.ROUNDINGS[1:]:
        assert written(values, decimals) == expected(values, decimals)
    assert written(np.array([-0.0, math.nan, 1e14]), wire.AS_IT_CAME) == b"[-0.0,null,100000000000000.0]"
    assert written(np.array([0.1 + 0.2]), wire.AS_IT_CAME) is None
    assert written(np.array([1e15]), 4) is None


def test_a_chain_that_cannot_be_written_leaves_the_others() -> None:
    words = wire.Words(np.array([0, 1, 0, 1], dtype=np.uint8), (b'"ok"', b'["no_bid","no_ask"]'))
    columns = [
        (b'{"a":[', wire.Column(np.array([1.0, 0.1 + 0.2, 3.0, math.nan]), wire.AS_IT_CAME)),
        (b'],"b":[', words),
    ]
    texts = wire.Writer().write(np.array([0, 1, 2, 4]), columns, b"]}")
    assert texts == [b'{"a":[1.0],"b":["ok"]}', None, b'{"a":[3.0,null],"b":["ok",["no_bid","no_ask"]]}']
