"""Who may begin a handshake: limits in all and per address, and when the refused are to come back."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.adapters.clock import ManualClock
from aro.runtime.addresses import parse_networks
from socket_gateway.budgets import Budget, Budgets
from socket_gateway.handshake import ADDRESS, RETRY_SECONDS, Gate, Handshake, Refusal
from socket_gateway.origins import Origins


class Stand:
    """A gate, and whom it let in."""

    def __init__(self, **limits: int) -> None:
        self.clock = ManualClock(0)
        self.sockets: Counter[str] = Counter()
        self.closed: str | None = None
        usual = {"max_sockets": 100, "max_sockets_per_address": 10, "per_second": 20, "per_minute_and_address": 30}
        self.gate = Gate(
            self.clock,
            closed=lambda: self.closed,
            sockets=self.sockets.total,
            sockets_of=self.sockets.__getitem__,
            **{**usual, **limits},
        )

    def ask(self, address: str = "192.0.2.1", *, stays: bool = False) -> Refusal | None:
        refusal = self.gate.admit(address)
        if refusal is None and stays:
            self.sockets[address] += 1
        return refusal

    def reason(self, address: str = "192.0.2.1", *, stays: bool = False) -> str:
        refusal = self.ask(address, stays=stays)
        return refusal.reason if refusal else "welcome"


def test_an_address_has_so_many_sockets_and_others_are_not_affected() -> None:
    stand = Stand(max_sockets_per_address=3)
    assert [stand.reason(stays=True) for _ in range(4)] == ["welcome"] * 3 + ["too_many_sockets_of_address"]
    assert stand.reason("192.0.2.2", stays=True) == "welcome"
    stand.sockets["192.0.2.1"] -= 1
    assert stand.reason() == "welcome"


def test_all_addresses_together_have_so_many_sockets() -> None:
    stand = Stand(max_sockets=3)
    assert [stand.reason(str(number), stays=True) for number in range(4)] == ["welcome"] * 3 + ["gateway_full"]


@pytest.mark.parametrize("reason", ["draining", "warming_up"])
def test_a_closed_gate_says_why(reason: str) -> None:
    stand = Stand()
    stand.closed = reason
    refusal = stand.ask()
    assert refusal is not None
    assert (refusal.status[:3], refusal.reason) == ("503", reason)


def test_an_address_may_come_so_often_in_a_minute() -> None:
    stand = Stand(per_minute_and_address=5)
    assert [stand.reason() for _ in range(6)] == ["welcome"] * 5 + ["too_many_handshakes_of_address"]
    refusal = stand.ask()
    assert refusal is not None
    assert refusal.status[:3] == "429"
    assert 12 <= (refusal.retry_after or 0) <= 18, "the next one is free in 12 s"
    assert stand.reason("192.0.2.2") == "welcome"
    stand.clock.advance(13)
    assert [stand.reason() for _ in range(2)] == ["welcome", "too_many_handshakes_of_address"]


def test_what_is_refused_for_all_is_not_held_against_one() -> None:
    stand = Stand(per_second=5, per_minute_and_address=6)
    reasons = [stand.reason() for _ in range(50)]
    assert Counter(reasons) == {"welcome": 5, "too_many_handshakes": 45}
    stand.clock.advance(1)
    assert stand.reason() == "welcome"


def test_who_floods_takes_no_place_from_others() -> None:
    """An address above its own limit does not use up what all have together."""
    stand = Stand(per_second=20, per_minute_and_address=5)
    for _ in range(1_000):
        stand.ask("198.51.100.1")
    assert [stand.reason("192.0.2.1") for _ in range(5)] == ["welcome"] * 5


@given(st.integers(50, 2_000), st.integers(20, 500))
def test_a_storm_is_over_as_soon_as_the_rate_allows(clients: int, per_second: int) -> None:
    """Clients that do as they are told are all in soon after the last place in the queue came up."""
    many = {"max_sockets": 10_000, "max_sockets_per_address": 10_000, "per_minute_and_address": 10_000}
    stand = Stand(**many, per_second=per_second)
    due, seconds = Counter({0: clients}), 0
    while due:
        waiting = due.pop(seconds, 0)
        for _ in range(waiting):
            refusal = stand.ask(stays=True)
            if refusal is not None:
                assert refusal.retry_after is not None
                due[seconds + refusal.retry_after] += 1
        seconds += 1
        stand.clock.advance(1)
    fair = clients / per_second
    assert seconds <= 2 * fair + 4 if fair < RETRY_SECONDS[1] else seconds <= 3 * fair + 12
    assert stand.sockets.total() == clients


class Wsgi:
    """An app that notes whose requests reached it, behind a `Handshake`."""

    def __init__(self, stand: Stand, *, origins: tuple[str, ...] = (), trusted: tuple[str, ...] = ()) -> None:
        self.reached: list[str] = []
        self.answers: list[tuple[str, dict[str, str]]] = []
        self._handshake = Handshake(self._app, stand.gate, Origins(origins), parse_networks(trusted))

    def ask(self, **environ: str) -> str:
        """The answer's status; ``""`` where the app was reached."""
        given_environ = {"HTTP_UPGRADE": "websocket", "REMOTE_ADDR": "192.0.2.1", "HTTP_HOST": "market.example"}
        self.answers.clear()
        list(self._handshake({**given_environ, "wsgi.url_scheme": "http", **environ}, self._start))
        return self.answers[0][0] if self.answers else ""

    def _start(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.answers.append((status, dict(headers)))

    def _app(self, environ: dict[str, Any], _start: Callable[..., Any]) -> list[bytes]:
        self.reached.append(environ.get(ADDRESS, "-"))
        return []


def test_behind_a_trusted_proxy_the_client_is_counted() -> None:
    wsgi = Wsgi(Stand(), trusted=("10.0.0.0/8",))
    wsgi.ask(REMOTE_ADDR="10.0.0.7", HTTP_X_FORWARDED_FOR="203.0.113.1, 198.51.100.9")
    wsgi.ask(REMOTE_ADDR="192.0.2.5", HTTP_X_FORWARDED_FOR="203.0.113.1")
    wsgi.ask(REMOTE_ADDR="10.0.0.7", HTTP_X_FORWARDED_FOR="2001:db8:1:2::1")
    wsgi.ask(REMOTE_ADDR="10.0.0.7", HTTP_X_FORWARDED_FOR="2001:db8:1:2:ffff::9")
    assert wsgi.reached[:2] == ["198.51.100.9", "192.0.2.5"]
    assert wsgi.reached[2] == wsgi.reached[3], "a /64 is one client"


def test_refusals_tell_when_to_come_back() -> None:
    wsgi = Wsgi(Stand(max_sockets=0))
    assert wsgi.ask() == "503 Service Unavailable"
    assert 1 <= int(wsgi.answers[0][1]["Retry-After"]) <= RETRY_SECONDS[1] + 1
    assert wsgi.ask(HTTP_UPGRADE="") == "", "probes and metrics pass"


def test_foreign_pages_are_refused_for_good() -> None:
    wsgi = Wsgi(Stand(), origins=("https://app.example",))
    assert wsgi.ask(HTTP_ORIGIN="https://evil.example") == "403 Forbidden"
    assert "Retry-After" not in wsgi.answers[0][1]
    assert wsgi.ask(HTTP_ORIGIN="https://app.example") == ""
    assert wsgi.ask(HTTP_ORIGIN="http://market.example") == "403 Forbidden", "a list replaces the own origin"
    assert wsgi.ask() == "", "programs send no origin"


def test_a_budget_with_a_burst_never_holds_more() -> None:
    budget = Budget(600, 0.0, burst=5)
    assert [budget.take(100.0) for _ in range(6)] == [True] * 5 + [False]
    assert budget.wait(100.0) == pytest.approx(0.1)
    assert budget.take(100.05) is False
    assert budget.take(100.11) is True


def test_addresses_are_forgotten_before_they_cost_memory() -> None:
    budgets = Budgets(60, capacity=3)
    first = budgets.of("a", 0.0)
    for key in ("b", "c", "a", "d", "e"):
        budgets.of(key, 0.0)
    assert len(budgets) == 3
    assert budgets.of("a", 0.0) is first, "who was seen last is kept"
