"""Lines on a real MongoDB-compatible server: kept once, found by everything that may be asked, deleted in time."""

import random
from typing import Any

import pytest

from aro.adapters import log_store as module
from aro.adapters.clock import iso
from aro.adapters.log_store import LogRecord, LogStore, Position, Wanted
from aro.adapters.mongo import MongoDatabase
from aro.contracts.problems import InvalidRequest
from logging_service.lines import LogLine, normalise, record_of

NOW = 1_795_000_000_000
HOUR = 3_600_000
EVERYTHING = Wanted()


def record(at_ms: int, number: int = 0, **fields: Any) -> LogRecord:
    line: LogLine = normalise(
        {"service.name": "auth", "message": f"line {number}", "@timestamp": iso(at_ms), **fields},
        arrived_us=at_ms * 1000,
        id=f"id-{number:08d}",
    )
    return record_of(line)


def found(store: LogStore, wanted: Wanted = EVERYTHING, **options: Any) -> list[str]:
    """Numbers of all lines, over all pages."""
    query = {"start_ms": NOW - 8 * 24 * HOUR, "end_ms": NOW + HOUR, "limit": 1_000, "newest": True, **options}
    numbers, after = [], None
    while True:
        page = store.search(wanted, after=after, **query)
        assert len(page.lines) <= query["limit"]
        numbers += [line.split(b'"message":"line ')[1].split(b'"')[0].decode() for line in page.lines]
        if page.next_cursor is None:
            return numbers
        after = Position.decode(page.next_cursor, newest=query["newest"])


def test_a_line_is_stored_once(log_store: LogStore) -> None:
    first, second = record(NOW, 1), record(NOW, 2)
    assert log_store.save([first]) == 1
    assert log_store.save([first, second]) == 1
    assert log_store.save([first, second]) == 0
    assert found(log_store) == ["2", "1"]
    assert log_store.services() == [("auth", NOW // HOUR * HOUR, NOW // HOUR * HOUR + HOUR)]


def test_every_filter_finds_its_lines(log_store: LogStore) -> None:
    log_store.save(
        [
            record(NOW, 1, **{"trace.id": "request-1", "service.name": "storage"}),
            record(NOW + 1, 2, **{"trace.id": "request-2", "log.level": "warning"}),
            record(NOW + 2, 3, **{"trace.ids": ["NIFTY|2026-12-29|7", "SPY|2026-12-31|7", "NIFTY|7"]}),
            record(NOW + 3, 4, **{"trace.ids": ["NIFTY|2026-12-29|8"], "log.level": "error"}),
            record(NOW + 4, 5, **{"log.level": "debug"}),
        ]
    )
    assert found(log_store, Wanted(service="storage")) == ["1"]
    assert found(log_store, Wanted(trace="request-2")) == ["2"]
    assert found(log_store, Wanted(trace="NIFTY|2026-12-29|7")) == ["3"]
    assert found(log_store, Wanted(trace="NIFTY|7")) == ["3"]
    # Another snapshot of the same tick shares the key of the index, and is not this one.
    assert found(log_store, Wanted(trace="BANKNIFTY|2026-12-29|7")) == []
    assert found(log_store, Wanted(severity=20)) == ["4", "3", "2", "1"]
    assert found(log_store, Wanted(severity=30)) == ["4", "2"]
    assert found(log_store, Wanted(severity=40)) == ["4"]
    assert found(log_store, Wanted(severity=50)) == []
    assert found(log_store, Wanted(service="auth", severity=30, trace="request-2")) == ["2"]
    assert found(log_store, Wanted(test=lambda line: b"line 5" in line)) == ["5"]


@pytest.mark.parametrize("newest", [True, False])
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_hold_every_line_once_and_in_order(
    log_store: LogStore, monkeypatch: pytest.MonkeyPatch, newest: bool, limit: int
) -> None:
    monkeypatch.setattr(module, "WINDOW_LINES", 10)
    monkeypatch.setattr(module, "MAX_SCANNED", 25)
    chance = random.Random(limit)
    # Dense, then a gap of days, and many in one millisecond.
    times = [NOW - 6 * 24 * HOUR + chance.randrange(2_000) for _ in range(60)] + [NOW] * 15 + [NOW - 60_000, NOW + 5]
    records = [record(at, number) for number, at in enumerate(times)]
    log_store.save(records)
    expected = sorted(records, key=lambda item: (item.at_us, item.id), reverse=newest)
    assert found(log_store, limit=limit, newest=newest) == [str(int(item.id[3:])) for item in expected]


def test_a_search_that_looked_at_enough_says_so(log_store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW_LINES", 50)
    monkeypatch.setattr(module, "MAX_SCANNED", 100)
    log_store.save([record(NOW + number * 100, number) for number in range(600)])
    wanted = Wanted(test=lambda line: b'"line 3"' in line)
    page = log_store.search(wanted, start_ms=NOW, end_ms=NOW + 60_000, limit=10)
    assert (page.lines, page.is_truncated) == ([], True)
    assert page.next_cursor is not None
    assert found(log_store, wanted) == ["3"]


def test_lines_are_found_without_any_counts(log_store: LogStore, database: MongoDatabase) -> None:
    """The process that stores may die between a line and its count."""
    log_store.save([record(NOW + number, number) for number in range(50)])
    database["log_hours"].delete_many({})
    assert len(found(log_store)) == 50
    assert log_store.sweep(now_ms=NOW + 9 * 24 * HOUR, days=7, max_bytes=10**9) == 50


def test_a_cursor_of_another_order_or_of_nobody_is_refused() -> None:
    cursor = Position(NOW * 1000, "an-id", True, NOW, NOW + 1).encode()
    assert Position.decode(cursor, newest=True).id == "an-id"
    others = ["x", "ä", "", cursor[5:], cursor * 2]
    for text, newest in ((cursor, False), *((other, True) for other in others)):
        with pytest.raises(InvalidRequest):
            Position.decode(text, newest=newest)


def test_every_query_is_served_by_an_index(
    log_store: LogStore, database: MongoDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_store.save([record(NOW + number, number) for number in range(20)])
    asked: list[Any] = []
    find = log_store._logs.find

    def watched(query: Any) -> Any:
        asked.append(dict(query))
        return find(query)

    monkeypatch.setattr(log_store._logs, "find", watched, raising=False)
    for wanted in (EVERYTHING, Wanted(service="auth"), Wanted(severity=20), Wanted(severity=30), Wanted(trace="x|7")):
        found(log_store, wanted, start_ms=NOW)
    assert len(asked) == 5
    for query in asked:
        plan = str(database["logs"].find(query).explain()["queryPlanner"]["winningPlan"])
        assert "IXSCAN" in plan
        assert "COLLSCAN" not in plan


def test_retention_deletes_what_is_too_old(log_store: LogStore, database: MongoDatabase) -> None:
    log_store.save([record(NOW - 25 * HOUR + number * HOUR // 10, number) for number in range(260)])
    assert log_store.sweep(now_ms=NOW, days=1, max_bytes=10**9) > 0
    left = found(log_store, newest=False)
    # Everything within a day is there, and of the minutes before it nothing.
    assert left == [str(number) for number in range(10, 260)]
    assert log_store.sweep(now_ms=NOW, days=1, max_bytes=10**9) == 0
    counted = sum(document["lines"] for document in database["log_hours"].find({}))
    assert abs(counted - 250) <= 10
    assert log_store.sweep(now_ms=NOW + 30 * HOUR, days=1, max_bytes=10**9) == 250
    assert database["log_hours"].count_documents({}) == 0


def test_beyond_the_cap_the_oldest_go(log_store: LogStore) -> None:
    log_store.save([record(NOW - HOUR + number * 1_000, number, pad="x" * 50) for number in range(3_000)])
    size = log_store.size()
    cap = size // 3
    while log_store.sweep(now_ms=NOW, days=7, max_bytes=cap):
        pass
    assert cap * 0.85 < log_store.size() <= cap
    left = found(log_store, newest=False)
    assert left == [str(number) for number in range(3_000 - len(left), 3_000)]
    assert 850 < len(left) <= 1_000


def test_a_storm_is_deleted_in_small_steps(log_store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of lines in one minute must not be one delete: the embedded server does nothing else meanwhile."""
    log_store.save([record(NOW + number * 15, number) for number in range(3_000)])
    counts: list[int] = []
    delete_many = log_store._logs.delete_many

    def watched(query: Any) -> Any:
        done = delete_many(query)
        counts.append(done.deleted_count)
        return done

    monkeypatch.setattr(log_store._logs, "delete_many", watched, raising=False)
    assert log_store.sweep(now_ms=NOW + 2 * 24 * HOUR, days=1, max_bytes=10**9) == 3_000
    assert max(counts) <= 3 * module.SWEEP_LINES
