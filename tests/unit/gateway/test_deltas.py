"""Patches: applied to one state they give the other, value for value, whatever was in them."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aro.contracts.codec import encode_json
from aro.testing.patches import applied, load
from socket_gateway import deltas
from socket_gateway.deltas import State

_VECTORS = json.loads((Path(__file__).parents[2] / "golden/gateway/patches.json").read_text(encoding="utf-8"))["apply"]
_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=5)
)
_OBJECTS = st.dictionaries(st.sampled_from('abcdé"\\,[{'), _VALUES, max_size=6)


@pytest.fixture
def every_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that save nothing."""
    monkeypatch.setattr(deltas, "CLEARLY_SMALLER", float("inf"))


def patch(before: bytes, after: bytes) -> dict[str, Any]:
    made = deltas.make(State(before), State(after))
    assert made is not None
    return load(made)


@pytest.mark.usefixtures("every_patch")
@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b'{"a":1}', b'{"a":1}', b"{}"),
        (b'{"a":1}', b'{"a":2,"b":3}', b'{"put":{"a":2,"b":3}}'),
        (b'{"a":1,"b":2}', b"{}", b'{"cut":["a","b"]}'),
        (b'{"a":null}', b"{}", b'{"cut":["a"]}'),
        (b"{}", b'{"a":null}', b'{"put":{"a":null}}'),
        (b'{"a":1}', b'{"a":1.0}', b'{"put":{"a":1.0}}'),
        (b'{"a":true}', b'{"a":1}', b'{"put":{"a":1}}'),
        (b'{"a":0.0}', b'{"a":-0.0}', b'{"put":{"a":-0.0}}'),
        (b'{"a":12345678901234567890123}', b'{"a":12345678901234567890124}', b'{"put":{"a":12345678901234567890124}}'),
        (b'{"a":[10.5,20.5,30.5]}', b'{"a":[10.5,20.25,30.5]}', b'{"put":{"a":[10.5,20.25,30.5]}}'),
        (
            b'{"a":[10000.5,20000.5,30000.5,40000.5,50000.5]}',
            b'{"a":[10000.5,2000.25,30000.5,null,50000.5]}',
            b'{"in":{"a":{"at":[1,3],"to":[2000.25,null]}}}',
        ),
        (b'{"a":[]}', b'{"a":[1]}', b'{"put":{"a":[1]}}'),
        (b'{"a":[1]}', b'{"a":[]}', b'{"put":{"a":[]}}'),
        (b'{"a":[ ]}', b'{"a":[]}', b'{"put":{"a":[]}}'),
        (b'{"a":[1,2]}', b'{"a":[1,2,3]}', b'{"put":{"a":[1,2,3]}}'),
        (
            b'{"a":["one, two","three","four","five"]}',
            b'{"a":["one, two","three","4","five"]}',
            b'{"in":{"a":{"at":[2],"to":["4"]}}}',
        ),
        (
            b'{"a":[[],["fair"],["fair","stale"],[]]}',
            b'{"a":[[],["fair"],["fair","stale"],[1]]}',
            b'{"in":{"a":{"at":[3],"to":[[1]]}}}',
        ),
        (
            b'{"calls":{"bid":[1,2],"ask":3,"long_unchanged":"xxxxxxxxxxxxxxxxx"}}',
            b'{"calls":{"bid":[1,2],"ask":4,"long_unchanged":"xxxxxxxxxxxxxxxxx"}}',
            b'{"in":{"calls":{"put":{"ask":4}}}}',
        ),
        (b'{"a":{"b":1}}', b'{"a":[1]}', b'{"put":{"a":[1]}}'),
        (b'{"\\"a":1}', b'{"\\"a":2}', b'{"put":{"\\"a":2}}'),
    ],
)
def test_what_a_patch_looks_like(before: bytes, after: bytes, expected: bytes) -> None:
    assert deltas.make(State(before), State(after)) == expected


@pytest.mark.usefixtures("every_patch")
@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: vector["name"])
def test_the_format_as_clients_read_it(vector: dict[str, Any]) -> None:
    before, after = encode_json(vector["before"]), encode_json(vector["after"])
    assert applied(load(before), load(encode_json(vector["patch"]))) == load(after)
    assert applied(load(before), patch(before, after)) == load(after)


@pytest.mark.usefixtures("every_patch")
@settings(max_examples=200, deadline=None)
@given(before=_OBJECTS, after=_OBJECTS, spaced=st.booleans())
def test_applying_a_patch_gives_the_next_state(before: Any, after: Any, spaced: bool) -> None:
    old, new = json.dumps(before, indent=1 if spaced else None).encode(), json.dumps(after).encode()
    assert applied(load(old), patch(old, new)) == load(new)


@pytest.mark.usefixtures("every_patch")
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_one_state_after_the_other(data: st.DataObject) -> None:
    """Columns of which some cells change, as chains do; each state is parsed once and compared twice."""
    size = data.draw(st.integers(0, 12))
    cell = st.none() | st.decimals(0, 99, places=2).map(float)
    columns = {name: data.draw(st.lists(cell, min_size=size, max_size=size)) for name in ("bid", "ask")}
    state: dict[str, Any] = {"spot": 1.5, "calls": columns, "flags": [["stale"] for _ in range(size)]}
    text = encode_json(state)
    seen, last = load(text), State(text)
    for _ in range(data.draw(st.integers(1, 6))):
        for column in columns.values():
            for index in data.draw(st.sets(st.integers(0, size - 1))) if size else ():
                column[index] = data.draw(cell)
        state["spot"] += data.draw(st.integers(0, 1))
        text = encode_json(state)
        following = State(text)
        made = deltas.make(last, following)
        assert made is not None
        seen, last = applied(seen, load(made)), following
        assert seen == load(text)


def test_a_patch_is_made_only_if_it_is_clearly_smaller() -> None:
    before = encode_json({"column": [float(n) for n in range(100)]})
    few = encode_json({"column": [n + 0.5 * (n < 10) for n in range(100)]})
    most = encode_json({"column": [n + 0.5 * (n < 90) for n in range(100)]})
    assert deltas.make(State(before), State(few)) is not None
    assert deltas.make(State(before), State(most)) is None
    assert deltas.make(State(before), State(before)) == b"{}"


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{", b"{]}", b'{"a":}', b"\xff", b'{"a":"' + b"\xff" + b'"}'])
def test_what_is_no_object_has_no_patch(text: bytes) -> None:
    fine = b'{"a":"' + b"x" * 100 + b'"}'
    assert deltas.make(State(text), State(fine)) is None
    assert deltas.make(State(fine), State(text)) is None


@pytest.mark.usefixtures("every_patch")
def test_what_is_nested_too_deep_is_put_whole() -> None:
    def nested(depth: int, value: int) -> bytes:
        return b'{"a":' * depth + b"%d" % value + b"}" * depth

    for depth in (1, deltas.MAX_DEPTH, deltas.MAX_DEPTH + 1, 100, 900):
        old, new = nested(depth, 1), nested(depth, 2)
        assert applied(load(old), patch(old, new)) == load(new)
    assert deltas.make(State(nested(100_000, 1)), State(nested(100_000, 2))) is None


@pytest.mark.parametrize("size", [1_024, 1_025, 3_000])
def test_columns_of_any_length(size: int) -> None:
    column = list(range(size))
    after = [*column[:-1], -1]
    assert patch(encode_json({"a": column}), encode_json({"a": after})) == {
        "in": {"a": {"at": [str(size - 1)], "to": ["-1"]}}
    }


def test_written_numbers_are_compared_as_text() -> None:
    assert load(b"1.0") != load(b"1.00")
    assert Decimal(load(b"1.0")) == 1
