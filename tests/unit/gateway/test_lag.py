"""The worst lateness of the last seconds, as somebody sees it who looks seldom."""

from hypothesis import given
from hypothesis import strategies as st

from socket_gateway.lag import WINDOW_SECONDS, Lag


@given(st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 10)), max_size=60))
def test_it_is_the_maximum_of_the_window(notes: list[tuple[float, float]]) -> None:
    lag, now, seen = Lag(), 0.0, []
    assert lag.worst == 0.0
    for pause, late in notes:
        now += pause
        seen.append((now, late))
        lag.note(late, now)
        assert lag.worst == max(value for at, value in seen if at > now - WINDOW_SECONDS)
