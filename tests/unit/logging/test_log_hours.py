"""Windows tile a span without hole or overlap, and are as narrow as what is in them demands."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from aro.adapters.log_hours import MINUTE_MS, NARROWEST_MS, WIDEST_MS, Hour, density, windows

counts = st.dictionaries(st.integers(0, 600), st.integers(1, 100_000), max_size=12)


@given(
    lines=counts,
    start=st.integers(0, 300 * MINUTE_MS),
    length=st.integers(0, 600 * MINUTE_MS),
    newest=st.booleans(),
)
def test_windows_tile_the_span(lines: dict[int, int], start: int, length: int, newest: bool) -> None:
    found = []
    for window in windows(start, start + length, lambda minute: lines.get(minute, 0), target=1_000, newest=newest):
        found.append(window)
        if len(found) > 2_000:
            break
    assert all(0 < b - a <= WIDEST_MS for a, b in found)
    ordered = found[::-1] if newest else found
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ordered))
    if length and len(found) <= 2_000:
        assert (ordered[0][0], ordered[-1][1]) == (start, start + length)
    assert bool(found) == bool(length)


def test_quiet_hours_are_one_window_and_busy_minutes_are_many() -> None:
    hour = Hour(number=10, lines=61_000, bytes=1, alerts=0, minutes={5: 60_000, 6: 1_000}, services=())
    found = list(windows(0, 20 * 60 * MINUTE_MS, density([hour]), target=1_000))
    busy = [b - a for a, b in found if 605 * MINUTE_MS <= a < 606 * MINUTE_MS]
    assert set(busy) == {1_000}
    assert len(busy) == 60
    assert len(found) - len(busy) < 8
    assert density([hour], alerts=True)(605) == 0
    storm = list(windows(0, MINUTE_MS, lambda _: 10**9, target=1_000))
    assert storm[0] == (0, NARROWEST_MS)
