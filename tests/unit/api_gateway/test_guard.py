"""The guard: remembers what it verified until it ends, asks about revocations every time, exchanges once."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api_gateway.guard import MARGIN_SECONDS, REFUSED_SECONDS, Guard
from aro.adapters.clock import ManualClock
from aro.adapters.revocations import Revocations
from aro.adapters.tokens import ALL_SCOPES, Principal, StaticKeys, TokenIssuer, TokenVerifier
from aro.contracts.problems import NotAuthenticated, ServiceUnavailable, TokenMissing, TokenRevoked
from aro.testing.forgery import forgeries

NAMES = {"issuer": "an-issuer", "audience": "an-audience"}
PERSONAL = "aro_pat_" + "x" * 43


class Counting(TokenVerifier):
    """Counts how often a signature is looked at."""

    verified = 0

    def verify(self, token: str) -> Principal:
        self.verified += 1
        return super().verify(token)


class Place:
    """A guard with everything around it. Tokens are issued by the real time, for their verifier looks at that."""

    def __init__(self, capacity: int = 1_000) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.clock = ManualClock(time.time_ns() // 1_000_000)
        self.issuer = TokenIssuer(self.key, "kid", clock=self.clock, **NAMES)
        self.verifier = Counting(StaticKeys({"kid": self.key.public_key()}), **NAMES)
        self.revocations = Revocations(None)  # type: ignore[arg-type]  # never started: the test says what ended
        self.exchanges = 0
        self.lifetime = 300
        self.refusal: Exception | None = None
        self.guard = Guard(self.verifier, self.revocations, exchange=self.exchange, clock=self.clock, capacity=capacity)

    def exchange(self, _: str) -> str:
        self.exchanges += 1
        if self.refusal is not None:
            raise self.refusal
        return self.issuer.issue("owner", "user", session="pat-1", lifetime=self.lifetime, scopes=frozenset({"read"}))

    def bearer(self, session: str = "s-1", **more: int) -> str:
        return f"Bearer {self.issuer.issue('somebody', 'user', session=session, **more)}"

    def end(self, session: str) -> None:
        self.revocations._learn({session: time.time() + 60})


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_token_is_verified_once(place: Place) -> None:
    header = place.bearer()
    principals = {place.guard.principal(header) for _ in range(100)}
    assert [principal.subject for principal in principals] == ["somebody"]
    assert place.verifier.verified == 1
    assert place.guard.access(header).token == header.removeprefix("Bearer ")


def test_it_is_verified_again_when_it_has_ended(place: Place) -> None:
    header = place.bearer(lifetime=60)
    place.guard.principal(header)
    place.clock.advance(61)
    # The verifier has its own idea of time, and a leeway.
    place.guard.principal(header)
    assert place.verifier.verified == 2


def test_whether_the_session_ended_is_asked_every_time(place: Place) -> None:
    mine, other = place.bearer("s-1"), place.bearer("s-2")
    for header in (mine, other):
        place.guard.principal(header)
    place.end("s-1")
    with pytest.raises(TokenRevoked):
        place.guard.principal(mine)
    place.guard.principal(other)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "abc", "bearer"])
def test_no_token_is_no_caller(place: Place, header: str) -> None:
    with pytest.raises(TokenMissing):
        place.guard.principal(header)


def test_the_scheme_has_no_case(place: Place) -> None:
    token = place.bearer().removeprefix("Bearer ")
    assert place.guard.principal(f"bEARER   {token} ").subject == "somebody"


def test_no_forged_token_gets_in_or_is_remembered(place: Place) -> None:
    for token, _ in forgeries(place.key, "kid", **NAMES).values():
        for _ in range(2):
            with pytest.raises(NotAuthenticated):
                place.guard.principal(f"Bearer {token}")
    assert len(place.guard._verified) == 0


def test_tokens_without_end_take_bounded_memory() -> None:
    place = Place(capacity=50)
    for _ in range(200):
        place.guard.principal(place.bearer())
    assert len(place.guard._verified) <= 50


def test_a_personal_token_is_exchanged_once_however_many_ask(place: Place) -> None:
    with ThreadPoolExecutor(16) as pool:
        accesses = list(pool.map(lambda _: place.guard.access(f"Bearer {PERSONAL}"), range(64)))
    assert place.exchanges == 1
    assert {access.principal.subject for access in accesses} == {"owner"}
    assert {access.principal.scopes for access in accesses} == {frozenset({"read"})} != {ALL_SCOPES}
    assert not any(PERSONAL in access.token for access in accesses)


def test_it_is_exchanged_again_before_the_access_token_ends(place: Place) -> None:
    place.lifetime = MARGIN_SECONDS + 10
    place.guard.access(f"Bearer {PERSONAL}")
    place.clock.advance(place.lifetime - MARGIN_SECONDS - 1)
    place.guard.access(f"Bearer {PERSONAL}")
    assert place.exchanges == 1
    place.clock.advance(2)
    place.guard.access(f"Bearer {PERSONAL}")
    assert place.exchanges == 2


def test_a_revoked_personal_token_is_refused_from_memory(place: Place) -> None:
    place.guard.access(f"Bearer {PERSONAL}")
    place.end("pat-1")
    with pytest.raises(TokenRevoked):
        place.guard.access(f"Bearer {PERSONAL}")
    assert place.exchanges == 1


def test_a_refused_personal_token_is_not_asked_about_again_for_a_while(place: Place) -> None:
    place.refusal = TokenRevoked("it was taken back")
    for _ in range(20):
        with pytest.raises(TokenRevoked, match="it was taken back"):
            place.guard.access(f"Bearer {PERSONAL}")
    assert place.exchanges == 1
    place.clock.advance(REFUSED_SECONDS + 1)
    place.refusal = None
    assert place.guard.access(f"Bearer {PERSONAL}").principal.subject == "owner"


def test_auth_being_away_is_not_held_against_the_token(place: Place) -> None:
    place.refusal = ServiceUnavailable("auth is away")
    with pytest.raises(ServiceUnavailable):
        place.guard.access(f"Bearer {PERSONAL}")
    place.refusal = None
    assert place.guard.access(f"Bearer {PERSONAL}").principal.subject == "owner"


def test_a_personal_token_that_was_exchanged_for_nonsense_is_refused(place: Place) -> None:
    guard = Guard(place.verifier, place.revocations, exchange=lambda _: "nonsense", clock=place.clock)
    with pytest.raises(NotAuthenticated):
        guard.access(f"Bearer {PERSONAL}")
