"""Who is connected, what each may send, and when something is due for it."""

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.adapters import redis_client
from aro.adapters.clock import ManualClock
from aro.adapters.revocations import Revocations
from aro.adapters.tokens import Principal
from aro.contracts.problems import Forbidden, NotAuthenticated, TokenMissing
from socket_gateway.admission import GRACE_SECONDS, WARN_SECONDS, Admission, token_of
from socket_gateway.budgets import Budget
from socket_gateway.clients import Client, Clients
from socket_gateway.deadlines import Deadline, Deadlines
from socket_gateway.refusals import TooManySockets
from socket_gateway.wire import Wire

NOW_MS = 1_795_000_000_000


def client(name: str = "e") -> Client:
    return Client(name, cast(Wire, None), 0.0, Budget(60, 0.0))


def principal(subject: str = "a", expires_at: int = NOW_MS // 1000 + 900) -> Principal:
    return Principal(subject, "user", "jti", expires_at)


@given(st.lists(st.floats(0, 5), min_size=1, max_size=300), st.integers(1, 120))
def test_budget_allows_its_rate_and_never_more(pauses: list[float], per_minute: int) -> None:
    budget, now, taken = Budget(per_minute, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        taken += budget.take(now)
        assert taken <= per_minute + now * per_minute / 60 + 1e-6


def test_budget_refills() -> None:
    budget = Budget(60, 0.0)
    assert [budget.take(0.0) for _ in range(61)] == [True] * 60 + [False]
    assert [budget.take(2.0) for _ in range(3)] == [True, True, False]


def test_sockets_of_one_account_are_counted_while_admitted() -> None:
    clients = Clients(max_per_user=2)
    first, second, third = client("1"), client("2"), client("3")
    clients.admit(first, "s1", principal())
    clients.admit(second, "s2", principal())
    with pytest.raises(TooManySockets):
        clients.admit(third, "s3", principal())
    assert third.sid is None
    clients.admit(third, "s3", principal("b"))
    assert clients.dismiss("s1") is first
    assert clients.dismiss("s1") is None
    assert (first.sid, clients.admitted) == (None, 2)
    clients.admit(first, "s4", principal())
    assert clients.of_sid("s4") is first


def test_walking_clients_survives_their_leaving() -> None:
    clients = Clients(max_per_user=1)
    for name in "abc":
        clients.open(client(name))
    for each in clients:
        clients.close(each.engine_id)
    assert len(clients) == 0


def test_deadlines_come_in_order_when_due() -> None:
    deadlines = Deadlines()
    for at_ms in (30, 10, 20, 40):
        deadlines.add(Deadline(at_ms, "e", "expired", 0))
    assert [deadline.at_ms for deadline in deadlines.due(9)] == []
    assert [deadline.at_ms for deadline in deadlines.due(30)] == [10, 20, 30]
    assert len(deadlines) == 1


def test_deadlines_of_those_who_left_can_be_dropped() -> None:
    deadlines = Deadlines()
    for at_ms in range(100):
        deadlines.add(Deadline(at_ms, f"e{at_ms % 10}", "expired", 0))
    deadlines.keep(lambda deadline: deadline.engine_id == "e3")
    assert [deadline.at_ms for deadline in deadlines.due(100)] == list(range(3, 100, 10))


class Verifier:
    """Takes ``subject`` and ``subject@expires_at`` for tokens."""

    def verify(self, token: str) -> Principal:
        subject, _, expires_at = token.partition("@")
        return principal(subject, int(expires_at)) if expires_at else principal(subject)


def nothing_ended() -> Revocations:
    """It connects to nothing unless it is started."""
    return Revocations(redis_client.connect("redis://127.0.0.1:1"))


def test_admission_sets_a_warning_and_an_end() -> None:
    deadlines, clock = Deadlines(), ManualClock(NOW_MS)
    admission = Admission(Verifier(), nothing_ended(), deadlines, clock)  # type: ignore[arg-type]
    holder = client()
    holder.principal = admission.verify("a")
    admission.watch(holder, holder.principal)
    expires_ms = NOW_MS + 900_000
    due = [(d.at_ms, d.kind) for d in deadlines.due(expires_ms + 60_000)]
    assert due == [(expires_ms - WARN_SECONDS * 1000, "expiring"), (expires_ms + GRACE_SECONDS * 1000, "expired")]
    assert admission.renew(holder, f"a@{NOW_MS // 1000 + 1800}").expires_at == holder.principal.expires_at
    with pytest.raises(Forbidden):
        admission.renew(holder, "b")


def test_a_token_shown_again_sets_no_more_deadlines() -> None:
    deadlines = Deadlines()
    admission = Admission(Verifier(), nothing_ended(), deadlines, ManualClock(NOW_MS))  # type: ignore[arg-type]
    holder = client()
    holder.principal = admission.verify("a")
    admission.watch(holder, holder.principal)
    for _ in range(1_000):
        admission.renew(holder, "a")
    assert len(deadlines) == 2
    admission.renew(holder, f"a@{NOW_MS // 1000 + 1800}")
    assert len(deadlines) == 4


def test_connections_of_one_address_are_counted_while_open() -> None:
    clients = Clients(max_per_user=1)
    first, second = client("1"), client("2")
    first.address = second.address = "192.0.2.1"
    clients.open(first)
    clients.open(second)
    assert (clients.at("192.0.2.1"), clients.at("192.0.2.2")) == (2, 0)
    clients.close("1")
    clients.close("1")
    assert clients.at("192.0.2.1") == 1


def test_a_token_past_its_grace_is_not_admitted() -> None:
    admission = Admission(Verifier(), nothing_ended(), Deadlines(), ManualClock(NOW_MS))  # type: ignore[arg-type]
    assert admission.verify(f"a@{NOW_MS // 1000 - GRACE_SECONDS + 1}")
    with pytest.raises(NotAuthenticated) as caught:
        admission.verify(f"a@{NOW_MS // 1000 - GRACE_SECONDS}")
    assert caught.value.code == "token_expired"


@pytest.mark.parametrize("auth", [None, "token", [], {}, {"token": ""}, {"token": None}, {"Token": "x"}])
def test_no_token_is_called_missing(auth: object) -> None:
    with pytest.raises(TokenMissing):
        token_of(auth)


def test_a_token_is_a_string() -> None:
    assert token_of({"token": "x"}) == "x"
    with pytest.raises(NotAuthenticated):
        token_of({"token": 7})
