"""Limits: exact over all replicas, exact for one, and cheap. Time is moved by hand; Redis is in the other rung."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from api_gateway.limits import CAPACITY, SLICES, WINDOW_SECONDS, Limits, Quota
from aro.adapters.clock import ManualClock


class Shared:
    """A ledger as Redis keeps it."""

    def __init__(self) -> None:
        self.drawn: Counter[tuple[str, str, int]] = Counter()
        self.away = False
        self.asked = 0

    def draw(self, scope: str, caller: str, window: int, amount: int) -> int | None:
        self.asked += 1
        if self.away:
            return None
        before = self.drawn[scope, caller, window]
        self.drawn[scope, caller, window] += amount
        return before


@given(limit=st.integers(1, 500), extra=st.integers(1, 50), seconds=st.integers(0, 10**7))
def test_one_replica_admits_exactly_the_limit_in_a_window(limit: int, extra: int, seconds: int) -> None:
    clock = ManualClock(seconds * 1000)
    quota = Quota("user", limit, Shared(), clock)
    answers = [quota.take("somebody") for _ in range(limit + extra)]
    assert [answer.admitted for answer in answers] == [True] * limit + [False] * extra
    assert [answer.remaining for answer in answers] == [*range(limit - 1, -1, -1), *[0] * extra]
    assert {answer.limit for answer in answers} == {limit}
    resets = {answer.reset for answer in answers}
    assert len(resets) == 1
    clock.advance(resets.pop())
    assert quota.take("somebody").admitted


@given(
    limit=st.integers(1, 300),
    replicas=st.integers(1, 5),
    order=st.lists(st.integers(0, 4), min_size=1, max_size=600),
)
def test_all_replicas_together_never_admit_more_and_lose_a_slice_each_at_most(
    limit: int, replicas: int, order: list[int]
) -> None:
    clock, ledger = ManualClock(0), Shared()
    quotas = [Quota("user", limit, ledger, clock) for _ in range(replicas)]
    admitted = sum(quotas[number % replicas].take("somebody").admitted for number in order)
    assert admitted <= limit
    share = max(1, limit // SLICES)
    assert admitted >= min(len(order), limit - (replicas - 1) * share)


def test_redis_is_asked_once_per_slice() -> None:
    ledger = Shared()
    quota = Quota("user", 1_000, ledger, ManualClock(0))
    for _ in range(1_000):
        assert quota.take("somebody").admitted
    assert ledger.asked == SLICES
    for _ in range(100):
        assert not quota.take("somebody").admitted
    assert ledger.asked == SLICES


def test_with_redis_away_a_replica_counts_for_itself() -> None:
    ledger = Shared()
    ledger.away = True
    quotas = [Quota("user", 40, ledger, ManualClock(0)) for _ in range(2)]
    for quota in quotas:
        assert sum(quota.take("somebody").admitted for _ in range(100)) == 40


def test_callers_have_limits_of_their_own() -> None:
    quota = Quota("user", 5, Shared(), ManualClock(0))
    for caller in ("one", "another"):
        assert sum(quota.take(caller).admitted for _ in range(10)) == 5


def test_windows_of_callers_begin_at_different_seconds() -> None:
    quota = Quota("user", 5, Shared(), ManualClock(0))
    assert len({quota.take(f"caller-{number}").reset for number in range(200)}) > WINDOW_SECONDS / 2


def test_callers_without_end_take_bounded_memory() -> None:
    quota = Quota("address", 5, Shared(), ManualClock(0), capacity=100)
    for number in range(1_000):
        quota.take(str(number))
    assert len(quota._cells) <= 100
    assert CAPACITY < 10**6


def test_at_hand_never_draws() -> None:
    ledger = Shared()
    quota = Quota("user", 100, ledger, ManualClock(0))
    assert quota.take_at_hand("somebody") is None
    assert ledger.asked == 0
    assert quota.take("somebody").remaining == 99
    allowance = quota.take_at_hand("somebody")
    assert allowance is not None
    assert allowance.remaining == 98
    with quota._cells.get("somebody").lock:  # type: ignore[union-attr]
        assert quota.take_at_hand("somebody") is None


def test_a_request_is_counted_once_for_its_account() -> None:
    clock = ManualClock(0)
    limits = Limits(Quota("user", 10, Shared(), clock), Quota("address", 100, Shared(), clock))
    environ = {Limits.ADDRESS: "192.0.2.1"}
    assert limits.admit_address(environ)
    assert environ[Limits.ALLOWANCE].limit == 100
    for _ in range(5):
        assert limits.admit(environ, "somebody")
    assert dict(environ[Limits.ALLOWANCE].headers())["RateLimit-Remaining"] == "9"
