"""Pages over a list in the place of a database: everything once, in order, and never more read than asked for."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aro.adapters.paging import ANY_SEQ, LONGEST_WINDOW_MS, MAX_PAGE_BYTES, Cursor, read_page, windows

Item = tuple[int, int]
"""(ts, seq)"""


@given(
    items=st.lists(st.tuples(st.integers(0, 20_000_000), st.integers(0, 50)), unique=True, max_size=60),
    limit=st.integers(1, 15),
    start=st.integers(0, 5_000_000),
    length=st.integers(0, 20_000_000),
)
def test_pages_join_to_everything_in_the_span(items: list[Item], limit: int, start: int, length: int) -> None:
    ordered = sorted(items)
    end = start + length

    def fetch(a: int, b: int, after_seq: int, count: int) -> list[Item]:
        assert 1 <= count <= limit + 1
        assert b - a <= LONGEST_WINDOW_MS
        return [item for item in ordered if a <= item[0] < b and (after_seq == ANY_SEQ or item[1] > after_seq)][:count]

    collected: list[Item] = []
    cursor: str | None = None
    while True:
        page = read_page(fetch, lambda item: item, start_ms=start, end_ms=end, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        collected.extend(page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.items) == limit
    assert collected == [item for item in ordered if start <= item[0] <= end]


@given(st.integers(0, 10_000_000), st.integers(0, 200_000_000))
def test_windows_cover_the_span_without_overlap(start: int, length: int) -> None:
    spans = list(windows(start, start + length))
    assert spans[0][0] == start
    assert spans[-1][1] == start + length + 1
    assert all(left[1] == right[0] for left, right in pairwise(spans))


@given(st.integers(0, 1 << 53), st.integers(0, 1 << 53))
def test_a_cursor_survives_the_query_string(ts: int, seq: int) -> None:
    text = Cursor(ts, seq).encode()
    assert text.replace("-", "").replace("_", "").isalnum()
    assert Cursor.decode(text) == Cursor(ts, seq)


def test_a_page_ends_where_it_would_be_too_large() -> None:
    items = [(n, n) for n in range(20)]

    def fetch(a: int, b: int, after_seq: int, count: int) -> list[Item]:
        return [item for item in items if a <= item[0] < b and item[1] > after_seq][:count]

    sizes: list[int] = []
    cursor: str | None = None
    while True:
        page = read_page(
            fetch,
            lambda item: item,
            start_ms=0,
            end_ms=99,
            limit=15,
            cursor=cursor,
            size=lambda _: MAX_PAGE_BYTES // 3,
        )
        sizes.append(len(page.items))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sizes == [4, 4, 4, 4, 4]
