"""The life of a session as a state machine: the real store against a model that fits on a page."""

import uuid

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aro.adapters.clock import ManualClock
from aro.adapters.mongo import MongoDatabase
from aro.adapters.personal_token_store import PersonalTokenStore
from aro.adapters.session_store import SessionStore
from aro.contracts.problems import AroError
from auth_service.endings import Endings
from auth_service.opaque_tokens import RefreshToken
from auth_service.rotation import GRACE_MS
from auth_service.sessions import Sessions, Visitor

HOURS, IDLE_HOURS = 5, 2
HOUR = 3_600
START_MS = 1_795_000_000_000
VISITOR = Visitor("a test", "127.0.0.1")


class Life(RuleBasedStateMachine):
    """`given` are all refresh tokens so far, the current one last."""

    def __init__(self, database: MongoDatabase) -> None:
        super().__init__()
        self.database = database

    @initialize()
    def open(self) -> None:
        store = SessionStore(self.database)
        self.clock = ManualClock(START_MS)
        endings = Endings(None, store, PersonalTokenStore(self.database), self.clock)
        self.sessions = Sessions(store, endings, self.clock, hours=HOURS, idle_hours=IDLE_HOURS, per_user=9)
        self.owner = uuid.uuid4().hex
        opened = self.sessions.open(self.owner, VISITOR)
        self.id = opened.session.id
        self.given = [opened.refresh_token]
        self.rotated_ms = START_MS
        self.has_ended = False

    @rule(seconds=st.sampled_from([0.001, 1, GRACE_MS / 1000, HOUR, 2 * HOUR]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def use_the_current_token(self) -> None:
        self.expect(self.given[-1], None if self.is_alive else self.over)

    @precondition(lambda self: len(self.given) >= 2)
    @rule()
    def use_the_one_before(self) -> None:
        in_grace = self.clock.now_ms() - self.rotated_ms <= GRACE_MS
        self.expect(self.given[-2], (None if in_grace else "reuse") if self.is_alive else self.over)

    @precondition(lambda self: len(self.given) >= 3)
    @rule(number=st.integers(0, 99))
    def use_one_of_long_ago(self, number: int) -> None:
        self.expect(self.given[number % (len(self.given) - 2)], "reuse" if self.is_alive else self.over)

    @rule()
    def invent_one_without_ever_having_had_one(self) -> None:
        self.expect(RefreshToken.new().text, "token_invalid")

    @rule()
    def invent_one_from_another(self) -> None:
        known = RefreshToken.parse(self.given[0])
        assert known is not None
        invented = RefreshToken(known.handle, RefreshToken.new().secret).text
        self.expect(invented, "reuse" if self.is_alive else self.over)

    @rule()
    def log_out(self) -> None:
        was_alive = self.is_alive
        self.sessions.logout(self.id, self.owner)
        self.has_ended = self.has_ended or was_alive

    @invariant()
    def is_live_as_the_model_says(self) -> None:
        if hasattr(self, "id"):
            assert self.sessions.is_live(self.id, self.owner) == self.is_alive
            assert not self.sessions.is_live(self.id, "somebody else")
            assert len(self.sessions.of(self.owner)) == self.is_alive

    @property
    def is_alive(self) -> bool:
        now_ms = self.clock.now_ms()
        is_idle = now_ms >= self.rotated_ms + IDLE_HOURS * HOUR * 1000
        return not self.has_ended and not is_idle and now_ms < START_MS + HOURS * HOUR * 1000

    @property
    def over(self) -> str:
        return "token_revoked" if self.has_ended else "token_expired"

    def expect(self, token: str, problem: str | None) -> None:
        """Show `token`: the successor is right, or the problem is."""
        code, made = self.shown(token)
        assert code == ("token_revoked" if problem == "reuse" else problem)
        if problem is not None:
            self.has_ended = self.has_ended or problem == "reuse"
        elif token == self.given[-1]:
            assert made not in self.given
            self.given.append(made)
            self.rotated_ms = self.clock.now_ms()
        else:
            assert made == self.given[-1]

    def shown(self, token: str) -> tuple[str | None, str]:
        try:
            return None, self.sessions.refresh(token, VISITOR).refresh_token
        except AroError as error:
            return error.code, ""


def test_refreshes_follow_the_model(database: MongoDatabase) -> None:
    SessionStore(database).ensure()
    quick = settings(max_examples=40, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(lambda: Life(database), settings=quick)
