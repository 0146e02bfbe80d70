"""The circuit breaker against a model that says what it may do, over any order of calls, answers and pauses."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from api_gateway.circuit import Circuit, State
from aro.adapters.clock import ManualClock

LIMIT = 3
REST = 2.0


class CircuitMachine(RuleBasedStateMachine):
    """Holds every ticket that is out, and counts by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(0)
        self.circuit = Circuit(self.clock, failures=LIMIT, rest_seconds=REST)
        self.out: list[tuple[int, State]] = []
        self.failures_in_a_row = 0
        self.opened_at: float | None = None

    @rule()
    def call(self) -> None:
        before = self.circuit.state
        ticket = self.circuit.admit()
        if before is State.CLOSED:
            assert ticket is not None
        elif before is State.HALF_OPEN:
            assert ticket is None
        else:
            assert self.opened_at is not None
            rested = self.clock.monotonic() - self.opened_at >= REST
            assert (ticket is not None) == rested
            assert self.circuit.state is (State.HALF_OPEN if rested else State.OPEN)
        if ticket is not None:
            self.out.append((ticket, self.circuit.state))

    @precondition(lambda self: self.out)
    @rule(data=st.data(), worked=st.booleans())
    def answer(self, data: st.DataObject, worked: bool) -> None:
        ticket, _ = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        newest = max((number for number, _ in self.out), default=ticket)
        before = self.circuit.state
        self.circuit.report(ticket, worked=worked)
        if before is State.OPEN or newest > ticket:
            assert self.circuit.state is before, "a call from before says nothing about now"
            return
        if before is State.CLOSED:
            self.failures_in_a_row = 0 if worked else self.failures_in_a_row + 1
            assert self.circuit.state is (State.OPEN if self.failures_in_a_row == LIMIT else State.CLOSED)
        elif self.circuit.state is not before:
            assert self.circuit.state is (State.CLOSED if worked else State.OPEN)
        if self.circuit.state is State.OPEN:
            self.opened_at = self.clock.monotonic()
        if self.circuit.state is not State.CLOSED or before is not State.CLOSED:
            self.failures_in_a_row = 0

    @rule(seconds=st.floats(0.1, 5))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def one_probe_at_the_most(self) -> None:
        probes = {ticket for ticket, state in self.out if state is State.HALF_OPEN}
        if self.circuit.state is State.HALF_OPEN:
            assert len(probes) >= 1


TestCircuit = CircuitMachine.TestCase


@given(st.integers(1, 20))
def test_it_opens_after_that_many_failures_and_closes_after_one_success(limit: int) -> None:
    clock = ManualClock(0)
    circuit = Circuit(clock, failures=limit, rest_seconds=REST)
    for _ in range(limit):
        assert circuit.state is State.CLOSED
        ticket = circuit.admit()
        assert ticket is not None
        circuit.report(ticket, worked=False)
    assert circuit.state is State.OPEN
    assert circuit.admit() is None
    clock.advance(REST)
    probe = circuit.admit()
    assert probe is not None
    assert circuit.admit() is None
    circuit.report(probe, worked=True)
    assert circuit.state is State.CLOSED
    assert circuit.admit() is not None


def test_failures_that_are_not_in_a_row_do_not_count() -> None:
    circuit = Circuit(ManualClock(0), failures=2)
    for worked in (False, True) * 10:
        ticket = circuit.admit()
        assert ticket is not None
        circuit.report(ticket, worked=worked)
    assert circuit.state is State.CLOSED


def test_what_began_before_it_opened_neither_closes_nor_prolongs_it() -> None:
    clock = ManualClock(0)
    circuit = Circuit(clock, failures=2, rest_seconds=REST)
    tickets = [circuit.admit() for _ in range(4)]
    assert None not in tickets
    for ticket in tickets[:2]:
        circuit.report(ticket or 0, worked=False)
    clock.advance(REST / 2)
    circuit.report(tickets[2] or 0, worked=False)
    circuit.report(tickets[3] or 0, worked=True)
    assert circuit.state is State.OPEN
    clock.advance(REST / 2)
    assert circuit.admit() is not None
