"""Times and spans as people write them in a query string."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.adapters.paging import Cursor
from aro.contracts.problems import InvalidRequest
from aro.runtime.queries import LATEST_MS, MINUTE_MS, parse_instant, resolve
from storage_service.spans import CHAINS, TICKS

NOW = 1_795_000_000_000


@pytest.mark.parametrize(
    "text",
    [
        "1798518600123",
        "2026-12-29T10:00:00.123+05:30",
        "2026-12-29T04:30:00.123Z",
        "2026-12-29T04:30:00.123456+00:00",
        "2026-12-29 10:00:00.123+05:30",
        "2026-12-29T10:00:00.123 05:30",  # "+" that was not percent-encoded
        "2026-12-28T23:30:00.123-05:00",
        "20261229T100000.123+0530",
    ],
)
def test_one_instant_written_in_many_ways(text: str) -> None:
    assert parse_instant(text) == 1_798_518_600_123


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-12-29",
        "2026-12-29T10:00:00",
        "2026-12-29 10:00",
        "2026-13-29T10:00:00Z",
        "-1",
        "1e12",
        "9" * 16,
        "9" * 5_000,
        str(LATEST_MS + 1),
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "१२३",
        "2026-12-29T10:00:00+99:00",
    ],
)
def test_what_is_no_instant_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"[A-Z].*\."):
        parse_instant(text)


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001 - the zone comes from the next strategy
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_every_iso_form_of_python_is_understood_to_the_millisecond(moment: datetime, zone: timezone) -> None:
    aware = moment.replace(tzinfo=zone)
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert parse_instant(aware.isoformat()) == expected
    assert parse_instant(aware.isoformat().replace("+", " ")) == expected


@given(st.text(max_size=40))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(ValueError):
        assert 0 <= parse_instant(text) <= LATEST_MS


def query(**given_: Any) -> dict[str, Any]:
    return {"from": None, "to": None, "cursor": None, **given_}


def test_nothing_given_is_the_recent_past() -> None:
    span = resolve(query(), CHAINS, now_ms=NOW)
    assert (span.start_ms, span.end_ms) == (NOW - 5 * MINUTE_MS, NOW)


def test_only_an_end_is_the_usual_stretch_before_it() -> None:
    span = resolve(query(to=NOW - 99), CHAINS, now_ms=NOW)
    assert (span.start_ms, span.end_ms) == (NOW - 99 - 5 * MINUTE_MS, NOW - 99)


def test_a_cursor_alone_continues_where_it_stood_however_long_ago() -> None:
    then = NOW - 3 * 3_600_000
    span = resolve(query(cursor=Cursor(then, 5).encode()), TICKS, now_ms=NOW)
    assert (span.start_ms, span.end_ms) == (then, NOW)


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ({"from": NOW, "to": NOW - 1}, "from"),
        ({"from": NOW - 10 * 86_400_000}, "from"),
        ({"from": 0, "to": LATEST_MS}, "from"),
        ({"cursor": "%%%"}, "cursor"),
        ({"cursor": Cursor(0, 0).encode()}, "from"),
    ],
)
def test_what_cannot_be_asked_names_its_field(given_: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as problem:
        resolve(query(**given_), TICKS, now_ms=NOW)
    assert problem.value.errors is not None
    assert list(problem.value.errors) == [field]
