"""schemathesis asks every service what its document promises: as a user, as an administrator, and as nobody."""

from typing import Any, Final, NamedTuple

import pytest

from aro.testing.conformance import PHASES, Findings, Login, ask
from aro.testing.page import SCRIPT

RULES: Final = frozenset(
    {
        # Spans have a longest length and do not end before they begin.
        *("from", "to", "since", "until"),
        # One that is there.
        "recording",
        # Opaque: only what next_cursor said is one.
        "cursor",
        # LOW..HIGH in this order; legs that exist.
        *("strikes", "legs"),
        # Not a common one, not the e-mail; and the present one has to be right.
        *("password", "new_password", "current_password"),
    }
)


class Round(NamedTuple):
    """Who asks a service, how much, and which parts of a run."""

    service: str
    who: str
    examples: int
    phases: tuple[str, ...] = PHASES


RANDOM: Final = ("examples", "fuzzing", "stateful")
CHECKED: Final = ("examples", "coverage", "fuzzing")
ROUNDS: Final = (
    Round("auth", "user", 5),
    Round("auth", "admin", 4, RANDOM),
    Round("storage", "user", 5),
    Round("analytics", "user", 2, CHECKED),
    Round("logging", "user", 3, RANDOM),
    Round("logging", "admin", 4),
    Round("api-gateway", "user", 2, RANDOM),
    Round("api-gateway", "admin", 2, RANDOM),
    *(Round(name, "nobody", 2, RANDOM) for name in ("auth", "storage", "analytics", "logging", "api-gateway")),
)
AT_LEAST: Final = 2_000
NEVER: Final = {"POST /api/v1/auth/change-password"}
"""Needs the present password, and then the account would have one that nobody here knows."""


class Asked:
    """Each round is asked once, and in the same order whatever that of the tests: who registers an e-mail first leaves
    a conflict to the others."""

    def __init__(self, estate: Any) -> None:
        self._estate = estate
        self._known = {
            "expiry": [estate.expiry],
            "product": ["NIFTY"],
            "legs": [estate.straddle()],
            "current_password": [estate.password],
            "file": [SCRIPT],
        }
        self._personal_token = estate.personal_token(estate.other)
        self._found: dict[Round, Findings] = {}

    def __getitem__(self, asking: Round) -> Findings:
        for each in ROUNDS:
            if asking in self._found:
                break
            if each not in self._found:
                self._found[each] = self._ask(each)
        return self._found[asking]

    def _ask(self, asking: Round) -> Findings:
        estate = self._estate
        replays = [] if asking.who == "nobody" else estate.replays(getattr(estate, asking.who))
        return ask(
            estate.documents[asking.service],
            estate.url(asking.service),
            token=bearer(asking, estate),
            examples=asking.examples,
            known={**self._known, "user_id": list(estate.accounts.values()), "replay_id": replays or ["0" * 16]},
            personal_token=None if asking.who == "nobody" else self._personal_token,
            rules=RULES,
            phases=asking.phases,
        )


@pytest.fixture(scope="module")
def asked(estate: Any) -> Asked:
    return Asked(estate)


@pytest.mark.parametrize("asking", ROUNDS, ids=lambda asking: f"{asking.service}-{asking.who}")
def test_every_answer_is_documented(asking: Round, asked: Asked) -> None:
    found = asked[asking]
    assert found.failures == []
    assert not [status for status in found.statuses() if status >= 500]


@pytest.mark.parametrize("service", sorted({asking.service for asking in ROUNDS}))
def test_every_operation_succeeds_for_somebody(service: str, asked: Asked, estate: Any) -> None:
    """Refusals alone would prove little."""
    reached = {
        operation
        for asking in ROUNDS
        if asking.service == service
        for operation, counted in asked[asking].answers.items()
        if any(200 <= status < 300 for status in counted)
    }
    documented = {
        f"{method.upper()} {path}" for path, item in estate.documents[service]["paths"].items() for method in item
    }
    assert documented - reached <= NEVER


def test_enough_was_asked(asked: Asked) -> None:
    assert sum(asked[asking].cases for asking in ROUNDS) >= AT_LEAST


def bearer(asking: Round, estate: Any) -> str | Login | None:
    if asking.who == "nobody":
        return None
    email = getattr(estate, asking.who)
    if asking.service in ("auth", "api-gateway"):
        # Some cases log out.
        return Login("/api/v1/auth/login", {"email": email, "password": estate.password})
    return str(estate.login(email))
