"""The newest at an instant, against a plain search, whatever lies between, and how little is asked for it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aro.adapters.clock import utc
from aro.adapters.mongo import MongoDatabase
from aro.adapters.newest import LOOK_BACK_MS, NEAR_MS, newest_at
from aro.adapters.presence import MINUTE_MS, Presence
from aro.contracts.names import COLLECTION_PRESENCE
from aro.testing.recorder import Recorder, recorded
from aro.testing.servers import MongoServer

NOW = 1_795_000_000_000
DAY_MS = 86_400_000
# Up to an hour less than `LOOK_BACK_MS`: at its very end minutes and milliseconds may differ.
AGES = st.integers(0, 30) | st.integers(NEAR_MS - 3, NEAR_MS + 3) | st.integers(0, LOOK_BACK_MS - 3_600_000)

Watched = tuple[MongoDatabase, Recorder]


@pytest.fixture
def watched(mongo_server: MongoServer) -> Iterator[Watched]:
    with recorded(mongo_server.url, "aro_newest_test") as (database, recorder):
        database.client.drop_database("aro_newest_test")
        database["series"].create_index([("product", 1), ("source_at", -1)], name="by_time")
        yield database, recorder


def put(database: MongoDatabase, instants: list[int]) -> None:
    """The same instants for products A and B; only A's minutes are noted."""
    for name in ("series", COLLECTION_PRESENCE):
        database[name].delete_many({})
    documents = [
        {"_id": f"{product}{n}", "product": product, "source_seq": n, "source_at": utc(at)}
        for n, at in enumerate(instants)
        for product in ("A", "B")
    ]
    if documents:
        database["series"].insert_many(documents)
    Presence(database, "series").note(("A", at) for at in instants)


def ask(database: MongoDatabase, product: str, as_of: int) -> Any:
    minutes = Presence(database, "series").minutes(product, as_of)
    return newest_at(database["series"], {"product": product}, as_of, minutes=minutes)


@pytest.mark.parametrize("product", ["A", "B"])
@given(ages=st.lists(AGES, max_size=30), asked=st.integers(-20, 20) | AGES.map(lambda age: -age))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_is_the_newest_that_is_not_later(watched: Watched, product: str, ages: list[int], asked: int) -> None:
    database, _ = watched
    instants = [NOW - age for age in ages]
    put(database, instants)
    as_of = NOW + asked
    earlier = [(at, n) for n, at in enumerate(instants) if as_of - LOOK_BACK_MS <= at <= as_of]
    found = ask(database, product, as_of)
    assert (found["_id"] if found else None) == (f"{product}{max(earlier)[1]}" if earlier else None)


GAP_ENDS = NOW - 3 * DAY_MS


@pytest.mark.parametrize(
    ("as_of", "queries"),
    [(GAP_ENDS, 1), (GAP_ENDS + 9_000, 1), (GAP_ENDS + 3_600_000, 4), (NOW - DAY_MS, 6), (NOW, 6), (MINUTE_MS, 20)],
)
def test_a_gap_costs_few_queries_that_read_little(watched: Watched, as_of: int, queries: int) -> None:
    database, recorder = watched
    put(database, [NOW - LOOK_BACK_MS + 5, *(GAP_ENDS - n * 500 for n in range(2_000))])
    recorder.clear()
    found = ask(database, "A", as_of)
    assert found is None if as_of == MINUTE_MS else found["_id"] == "A1"
    assert len(recorder.commands) <= queries
    ranges = [command["filter"]["source_at"] for command in recorder.commands if command["find"] == "series"]
    if as_of != MINUTE_MS:
        assert all((span["$lt"] - span["$gte"]).total_seconds() <= 60 for span in ranges)


def test_minutes_are_noted_once_by_each_process(watched: Watched) -> None:
    database, _ = watched
    first, second = Presence(database, "series"), Presence(database, "series")
    for presence in (first, second, first):
        presence.note([("A", NOW), ("A", NOW + 1), ("A", NOW + MINUTE_MS), ("B", NOW)])
    minute = NOW - NOW % MINUTE_MS
    assert list(first.minutes("A", NOW + DAY_MS))[-2:] == [
        (minute + MINUTE_MS, minute + 2 * MINUTE_MS),
        (minute, minute + MINUTE_MS),
    ]
    assert list(first.minutes("A", minute)) == [(minute, minute + MINUTE_MS)]
    assert list(first.minutes("A", minute - 1)) == []
    assert list(Presence(database, "others").minutes("A", NOW)) == []


def test_the_turn_of_a_minute_is_no_busy_moment(watched: Watched) -> None:
    """Of many series that never pause, each notes the next minute at a moment of its own, in time."""
    database, _ = watched
    database[COLLECTION_PRESENCE].delete_many({})
    presence, keys = Presence(database, "series"), [f"K{n}" for n in range(120)]
    start = NOW - NOW % MINUTE_MS
    noted = []
    for second in range(30, 151):
        presence.note((key, start + second * 1_000) for key in keys)
        noted.append(sum(int(item["minutes"]).bit_count() for item in database[COLLECTION_PRESENCE].find()))
    each_second = [after - before for before, after in pairwise(noted)]
    assert sum(each_second) == 2 * len(keys), "one for each minute"
    assert max(each_second) <= 10
    for key in keys:
        found = [first for first, _ in presence.minutes(key, start + 10 * MINUTE_MS)]
        assert found[-3:] == [start + 2 * MINUTE_MS, start + MINUTE_MS, start]
        assert len(found) <= 4


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 7 * MINUTE_MS)), max_size=25))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_order_every_minute_with_data_is_noted(watched: Watched, moments: list[tuple[str, int]]) -> None:
    database, _ = watched
    database[COLLECTION_PRESENCE].delete_many({})
    presence, start = Presence(database, "series"), NOW - NOW % MINUTE_MS
    for key, offset in moments:
        presence.note([(key, start + offset)])
    for key in "AB":
        held = {start + offset // MINUTE_MS * MINUTE_MS for name, offset in moments if name == key}
        found = {first for first, _ in presence.minutes(key, NOW + DAY_MS)}
        assert held <= found <= held | {first + MINUTE_MS for first in held}
