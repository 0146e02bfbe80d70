"""Whatever arrives becomes a line that can be kept, answered and searched for."""

import json
import string
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from aro.adapters.log_stream import LogEntry
from logging_service.lines import MAX_LINE_BYTES, LogLine, normalise, of_entry, record_of

ARRIVED = 1_795_000_000_000
NAMES = st.sampled_from(
    [
        *("message", "log.level", "service.name", "@timestamp", "event.id", "trace.id", "trace.ids", "labels"),
        *("http.request.method", "http.response.status_code", "error.stack_trace", "$where", "a.b", "__proto__"),
    ]
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


def check(line: LogLine) -> None:
    data = msgspec.json.encode(line)
    assert len(data) <= 2 * MAX_LINE_BYTES
    assert msgspec.json.decode(data, type=LogLine) == line
    record = record_of(line)
    assert abs(record.at_us // 1000 - ARRIVED) <= 86_400_000
    assert 10 <= record.severity <= 50
    assert len(line.labels) <= 51
    for name, value in line.labels.items():
        assert set(name) <= set(string.ascii_letters + string.digits + "_.-")
        assert isinstance(value, str | int | float | bool | None)


@given(data=st.binary(max_size=300))
@example(data=b'{"message": "x", "@timestamp": "9999-12-31T23:59:59-23:59"}')
@example(data=b'{"@timestamp": "0001-01-01T00:00:00+23:59"}')
@example(data=b'{"a":' * 2_000)
def test_any_bytes_are_a_line(data: bytes) -> None:
    check(of_entry(LogEntry(f"{ARRIVED}-0", data)))
    check(of_entry(LogEntry(f"{ARRIVED}-0", data, is_stored=True)))


@given(fields=st.dictionaries(NAMES | st.text(max_size=10), values, max_size=8))
def test_any_object_is_a_line_and_stays_it(fields: dict[str, Any]) -> None:
    entry = LogEntry(f"{ARRIVED}-0", json.dumps(fields).encode())
    line = of_entry(entry)
    check(line)
    assert of_entry(entry) == line
    again = of_entry(LogEntry(f"{ARRIVED}-0", msgspec.json.encode(line), is_stored=True))
    assert again == line


@given(character=st.sampled_from(["é", "\x00", "\U0001f600", '"', "x"]), names=st.integers(0, 60))
def test_no_line_is_larger_than_it_may_be(character: str, names: int) -> None:
    long = character * 10_000
    fields = {f"n{number}": long for number in range(names)}
    ids = [f"{'I' * 70}|{number}" for number in range(128)]
    said = {"message": long, "error.stack_trace": long, "trace.ids": ids, **fields}
    check(normalise(said, arrived_us=ARRIVED * 1000, id="x"))


def test_an_ordinary_line_keeps_what_it_says() -> None:
    given = {
        "@timestamp": "2026-11-18T11:06:40.000123Z",
        "log.level": "WARN",
        "service.name": "auth",
        "message": "throttled",
        "event.action": "excess_rate_limit_exceeded",
        "trace.id": "0123456789abcdef",
        "http.route": "/api/v1/auth/login",
        "http.response.status_code": 429,
        "event.id": "5f0c1d2e3a4b-0000002a",
        "duration_ms": 1.5,
    }
    line = of_entry(LogEntry("1794999999999-0", json.dumps(given).encode()))
    assert json.loads(msgspec.json.encode(line)) == {
        **{name: value for name, value in given.items() if name != "duration_ms"},
        "@timestamp": "2026-11-18T11:06:40.000123+00:00",
        "log.level": "warning",
        "event.provider": "service",
        "labels": {"duration_ms": 1.5},
    }


def test_ids_that_are_none_are_left_out_and_the_others_stay() -> None:
    line = normalise({"trace.ids": ["NIFTY|7", {"$ne": 1}, "", "SPY|7"]}, arrived_us=0, id="x")
    assert line.trace_ids == ["NIFTY|7", "SPY|7"]
