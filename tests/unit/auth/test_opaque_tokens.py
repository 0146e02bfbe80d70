"""Opaque tokens, and what becomes of a session when one is shown."""

import string

from hypothesis import example, given
from hypothesis import strategies as st

from aro.adapters.session_store import Rotation, Session
from auth_service.opaque_tokens import PERSONAL_PREFIX, RefreshToken, digest, new_salt, new_token
from auth_service.rotation import GRACE_MS, Verdict, judge, rotated

NOW_MS = 1_795_000_000_000
IDLE_MS = 3_600_000


def session(current: str, **changes: object) -> Session:
    known: dict[str, object] = {
        "id": "s",
        "user_id": "u",
        "current": current,
        "created_ts": NOW_MS,
        "used_ts": NOW_MS,
        "expires_ts": NOW_MS + IDLE_MS,
        "limit_ts": NOW_MS + 5 * IDLE_MS,
        "user_agent": "",
        "address": "",
    }
    return Session(**(known | changes))  # type: ignore[arg-type]


def test_a_refresh_token_is_read_as_it_is_written() -> None:
    token = RefreshToken.new()
    assert RefreshToken.parse(token.text) == token
    assert len(token.session_id) == 32
    assert token.session_id not in token.text
    assert token.secret not in repr(token)


@given(st.text(alphabet=string.printable, max_size=100))
def test_anything_else_is_no_refresh_token(text: str) -> None:
    parsed = RefreshToken.parse(text)
    assert parsed is None or parsed.text == text


def test_one_salt_makes_one_successor_of_the_same_session() -> None:
    token, salt = RefreshToken.new(), new_salt()
    made = token.successor(salt)
    assert made == token.successor(salt) != token.successor(new_salt())
    assert made.session_id == token.session_id
    assert RefreshToken.parse(made.text) == made
    # Who knows all that the database holds, and no token, cannot make it.
    assert RefreshToken(token.handle, RefreshToken.new().secret).successor(salt) != made


def test_tokens_are_long_and_their_digests_are_sha_256() -> None:
    text = new_token(PERSONAL_PREFIX)
    assert len(text) == len(PERSONAL_PREFIX) + 43
    assert text != new_token(PERSONAL_PREFIX)
    # FIPS 180-2, appendix B.1.
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.integers(-GRACE_MS, 2 * IDLE_MS))
@example(GRACE_MS)
@example(GRACE_MS + 1)
@example(IDLE_MS - 1)
@example(IDLE_MS)
def test_grace_is_for_the_one_before_and_short(after_ms: int) -> None:
    known = session("b", rotation=Rotation(previous="a", salt="00", at_ts=NOW_MS))
    now_ms = NOW_MS + after_ms
    is_over = after_ms >= IDLE_MS
    assert judge(known, "b", now_ms) is (Verdict.EXPIRED if is_over else Verdict.ROTATE)
    in_grace = Verdict.REPEAT if after_ms <= GRACE_MS else Verdict.REUSED
    assert judge(known, "a", now_ms) is (Verdict.EXPIRED if is_over else in_grace)
    assert judge(known, "older", now_ms) is (Verdict.EXPIRED if is_over else Verdict.REUSED)
    ended = session("b", ended_ts=NOW_MS)
    assert judge(ended, "b", now_ms) is Verdict.ENDED


def test_a_session_lives_on_by_use_but_not_for_ever() -> None:
    known, now_ms = session("t0"), NOW_MS
    for turn in range(1, 12):
        now_ms += IDLE_MS - 1
        if judge(known, known.current, now_ms) is Verdict.EXPIRED:
            break
        known = rotated(known, f"t{turn}", "00", now_ms=now_ms, idle_ms=IDLE_MS)
        assert known.expires_ts == min(now_ms + IDLE_MS, known.limit_ts)
        assert known.rotation == Rotation(previous=f"t{turn - 1}", salt="00", at_ts=now_ms)
    assert now_ms >= known.limit_ts
    assert turn == 6
