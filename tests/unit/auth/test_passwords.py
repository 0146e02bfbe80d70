"""argon2id hashes: the right cost, and no hint about who exists."""

import statistics
import time
from collections.abc import Callable

import pytest

from aro.adapters.passwords import PROFILES, Passwords, Profile


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords()


def test_a_hash_is_argon2id_at_the_owasp_minimum_and_salted(passwords: Passwords) -> None:
    first, second = passwords.hash("correct horse"), passwords.hash("correct horse")
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second
    assert passwords.verify(first, "correct horse")
    assert not passwords.verify(first, "wrong horse")
    assert not passwords.needs_rehash(first)


def test_the_profiles_are_the_published_ones() -> None:
    # OWASP Password Storage Cheat Sheet; RFC 9106 §4.
    assert {
        "owasp-minimum": Profile(memory_kib=19 * 1024, passes=2, lanes=1),
        "rfc9106-low-memory": Profile(memory_kib=64 * 1024, passes=3, lanes=4),
    } == PROFILES
    strong = Passwords("rfc9106-low-memory")
    made = strong.hash("correct horse")
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    weak = Passwords()
    assert weak.verify(made, "correct horse")
    assert weak.needs_rehash(made)


def test_weaker_hashes_of_the_past_are_noticed(passwords: Passwords) -> None:
    weak = "$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$Kp7BjkHEXDPz1kGBtGkJCKIOWHYMVAL7HUyjlvQCEms"
    assert passwords.needs_rehash(weak)


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv"])
def test_a_damaged_hash_fits_no_password(passwords: Passwords, stored: str) -> None:
    assert not passwords.verify(stored, stored)


def test_nobody_logs_in_to_an_unknown_account_not_even_with_the_decoy(passwords: Passwords) -> None:
    assert not passwords.verify(None, "a decoy that equals nobody's password")


def test_an_unknown_account_takes_as_long_as_a_wrong_password(passwords: Passwords) -> None:
    stored = passwords.hash("correct horse")

    def seconds(call: Callable[[], object]) -> float:
        started = time.thread_time()
        call()
        return time.thread_time() - started

    # CPU time of this thread: what else the machine does makes no difference.
    wrong = statistics.median(seconds(lambda: passwords.verify(stored, "wrong horse")) for _ in range(7))
    unknown = statistics.median(seconds(lambda: passwords.verify(None, "wrong horse")) for _ in range(7))
    assert unknown == pytest.approx(wrong, rel=0.5)
