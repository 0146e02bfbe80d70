"""Keys that take each other's place: published before their first and after their last signature."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aro.adapters.clock import ManualClock
from aro.adapters.tokens import JwksKeys, TokenVerifier, parse_jwks
from aro.contracts.problems import NotAuthenticated
from auth_service.keyring import LOOK_SECONDS, KeyRing
from auth_service.keys import (
    KEY_FILE,
    NEXT_FILE,
    PUBLISHED_SECONDS,
    RETIRED_SECONDS,
    KeyFiles,
    TooEarly,
    load,
    load_or_create,
    rotate,
)
from auth_service.signing import Signer

NAMES = {"issuer": "option-aro-auth", "audience": "option-aro"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    load_or_create(tmp_path / "keys")
    return tmp_path / "keys"


def later(seconds: float = PUBLISHED_SECONDS + 1) -> float:
    return time.time() + seconds


def kids(files: KeyFiles, now: float) -> list[str]:
    return list(files.published(now))


def test_the_next_key_becomes_current_and_the_current_one_stays_published(directory: Path) -> None:
    before = load(directory)
    assert before.next is not None
    after = rotate(directory, now=later())
    assert after.current.kid == before.next.kid
    assert after.next is not None
    assert kids(after, time.time()) == [before.next.kid, after.next.kid, before.current.kid]
    assert kids(after, later(RETIRED_SECONDS)) == [before.next.kid, after.next.kid]
    for path in directory.glob("*.pem"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_verifiers_may_not_know_is_not_used_unless_forced(directory: Path) -> None:
    before = load(directory)
    for early in (0.0, PUBLISHED_SECONDS - 5):
        with pytest.raises(TooEarly, match="verifiers keep what they know"):
            rotate(directory, now=later(early))
    assert load(directory).current.kid == before.current.kid
    assert rotate(directory, now=later(0), force=True).current.kid == before.next.kid  # type: ignore[union-attr]
    assert PUBLISHED_SECONDS > JwksKeys.CACHE_SECONDS


def test_of_rotations_at_once_one_happens(directory: Path) -> None:
    before = load(directory)
    os.utime(directory / NEXT_FILE, (time.time() - PUBLISHED_SECONDS - 1,) * 2)

    def happens(_: int) -> bool:
        try:
            rotate(directory, now=time.time())
        except TooEarly:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(happens, range(16))) == 1
    assert load(directory).current.kid == before.next.kid  # type: ignore[union-attr]


def test_retired_keys_are_removed_when_nothing_can_be_signed_by_them(directory: Path) -> None:
    first = load(directory).current.kid
    rotate(directory, now=later())
    assert (directory / f"retired-{first}.pem").exists()
    second = load(directory).current.kid
    os.utime(directory / f"retired-{first}.pem", (0, 0))
    rotate(directory, now=later())
    assert sorted(path.name for path in directory.glob("retired-*")) == [f"retired-{second}.pem"]


def test_a_rotation_that_was_killed_half_way_is_done_again(directory: Path) -> None:
    before = load(directory)
    # Killed before its first move, long ago: the retired key's time begins with the rotation that succeeds.
    rotate(directory, now=later())
    half = directory / f"retired-{before.current.kid}.pem"
    (directory / KEY_FILE).rename(directory / NEXT_FILE)
    placed = before.current.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / KEY_FILE).write_bytes(placed)
    (directory / KEY_FILE).chmod(0o600)
    os.utime(half, (0, 0))
    assert rotate(directory, now=later()).published(time.time()).keys() >= {before.current.kid}
    # Killed between its two moves: tokens go on being signed, and the next rotation makes the next key first.
    (directory / NEXT_FILE).unlink()
    assert load(directory).next is None
    with pytest.raises(TooEarly):
        rotate(directory, now=time.time())
    assert load(directory).next is not None


def test_a_directory_that_was_filled_by_others_needs_no_next_key(directory: Path) -> None:
    (directory / NEXT_FILE).unlink()
    files = load(directory)
    assert kids(files, time.time()) == [files.current.kid]


def test_a_running_service_follows_and_nothing_it_signed_is_refused(directory: Path) -> None:
    clock = ManualClock(int(time.time() * 1000))
    ring = KeyRing(directory, clock)
    signer = Signer(ring, clock=clock, **NAMES)
    verifier = TokenVerifier(ring, **NAMES)
    known = parse_jwks(ring.jwks())  # what another service fetched before
    old = signer.issue("somebody", "user", session="s")
    rotate(directory, now=later())
    assert verifier.verify(signer.issue("somebody", "user", session="s")).session == "s"
    clock.advance(LOOK_SECONDS)
    assert ring.current.kid == load(directory).current.kid
    assert ring.current.kid in known
    for token in (old, signer.issue("somebody", "user", session="s")):
        assert verifier.verify(token).subject == "somebody"
    assert len(ring.jwks()["keys"]) == 3
    clock.advance(RETIRED_SECONDS + 60)
    assert len(ring.jwks()["keys"]) == 2
    with pytest.raises(NotAuthenticated):
        verifier.verify(old)


def test_a_running_service_keeps_its_keys_when_the_directory_goes_bad(directory: Path) -> None:
    clock = ManualClock(int(time.time() * 1000))
    ring = KeyRing(directory, clock)
    kid = ring.current.kid
    (directory / KEY_FILE).chmod(0o644)
    clock.advance(LOOK_SECONDS)
    assert ring.current.kid == kid
    (directory / KEY_FILE).chmod(0o600)
    rotate(directory, now=later())
    clock.advance(LOOK_SECONDS)
    assert ring.current.kid != kid


def test_the_key_set_holds_public_halves_only(directory: Path) -> None:
    ring = KeyRing(directory, ManualClock(0))
    for entry in ring.jwks()["keys"]:
        assert set(entry) == {"kty", "crv", "x", "kid", "use", "alg"}
    assert ring.current.kid in parse_jwks(ring.jwks())
    assert "private" not in repr(load(directory)).lower()
