"""The circuit breaker against a model that says what it may do, over any order of calls, answers and pauses."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from api_gateway.circuit import Circuit, State
from aro.adapters.clock import ManualClock

LIMIT = 3
REST = 2.0


class CircuitMachine(RuleBasedStateMachine):
    """Says after every step what the state must be now. An era lasts as long as a state does."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(0)
        self.circuit = Circuit(self.clock, failures=LIMIT, rest_seconds=REST)
        self.out: list[tuple[int, int]] = []
        self.state, self.era = State.CLOSED, 0
        self.failures_in_a_row = 0
        self.opened_at = 0.0

    def enter(self, state: State) -> None:
        self.state = state
        self.era += 1
        self.failures_in_a_row = 0
        self.opened_at = self.clock.monotonic()

    @rule()
    def call(self) -> None:
        rested = self.clock.monotonic() - self.opened_at >= REST
        ticket = self.circuit.admit()
        assert (ticket is not None) == (self.state is State.CLOSED or (self.state is State.OPEN and rested))
        if self.state is State.OPEN and rested:
            self.enter(State.HALF_OPEN)
        if ticket is not None:
            self.out.append((ticket, self.era))

    @precondition(lambda self: self.out)
    @rule(data=st.data(), worked=st.booleans())
    def answer(self, data: st.DataObject, worked: bool) -> None:
        ticket, era = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        self.circuit.report(ticket, worked=worked)
        if era != self.era:
            return  # a call from before says nothing about now
        self.failures_in_a_row = 0 if worked else self.failures_in_a_row + 1
        if self.state is State.HALF_OPEN:
            self.enter(State.CLOSED if worked else State.OPEN)
        elif self.failures_in_a_row == LIMIT:
            self.enter(State.OPEN)

    @rule(seconds=st.floats(0.1, 5))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def it_is_where_the_model_is(self) -> None:
        assert self.circuit.state is self.state

    @invariant()
    def one_probe_at_the_most(self) -> None:
        if self.state is State.HALF_OPEN:
            assert sum(era == self.era for _, era in self.out) == 1


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
