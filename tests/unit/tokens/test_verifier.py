"""Access tokens: what is issued verifies, and nothing else does."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from aro.adapters.clock import ManualClock, SystemClock
from aro.adapters.tokens import ACCESS_SECONDS, LEEWAY_SECONDS, StaticKeys, TokenIssuer, TokenVerifier
from aro.contracts.problems import NotAuthenticated, TokenExpired, TokenMissing
from aro.testing.forgery import claims, forgeries, token

NAMES = {"issuer": "an-issuer", "audience": "an-audience"}
KEY = Ed25519PrivateKey.generate()
VERIFIER = TokenVerifier(StaticKeys({"a-key": KEY.public_key()}), **NAMES)
HEADER = {"alg": "EdDSA", "typ": "at+jwt", "kid": "a-key"}
FORGERIES = forgeries(KEY, "a-key", **NAMES)


def issuer_at(seconds_ago: float) -> TokenIssuer:
    clock = ManualClock(SystemClock().now_ms() - round(seconds_ago * 1000))
    return TokenIssuer(KEY, "a-key", clock=clock, **NAMES)


def test_an_issued_token_verifies_and_says_who() -> None:
    principal = VERIFIER.verify(issuer_at(0).issue("user-1", "admin"))
    assert (principal.subject, principal.role) == ("user-1", "admin")
    assert principal.expires_at - time.time() == pytest.approx(ACCESS_SECONDS, abs=5)
    assert len(principal.token_id) >= 20


def test_every_token_has_its_own_id() -> None:
    issuer = issuer_at(0)
    assert len({VERIFIER.verify(issuer.issue("user-1", "user")).token_id for _ in range(50)}) == 50


def test_a_token_lives_for_its_time_and_the_leeway() -> None:
    nearly = issuer_at(ACCESS_SECONDS + LEEWAY_SECONDS - 5)
    assert VERIFIER.verify(nearly.issue("user-1", "user")).subject == "user-1"
    with pytest.raises(TokenExpired):
        VERIFIER.verify(issuer_at(ACCESS_SECONDS + LEEWAY_SECONDS + 5).issue("user-1", "user"))


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_with_its_code(name: str) -> None:
    text, code = FORGERIES[name]
    with pytest.raises(NotAuthenticated) as refusal:
        VERIFIER.verify(text)
    assert refusal.value.code == code


def test_the_forgeries_are_wrong_in_one_way_only() -> None:
    assert VERIFIER.verify(token(HEADER, claims(**NAMES), KEY.sign)).subject == "somebody"


def test_a_key_in_the_header_is_not_looked_at() -> None:
    own = Ed25519PrivateKey.generate()
    for planted in ({"jwk": {"kty": "OKP"}}, {"jku": "http://127.0.0.1:1/jwks"}, {"x5u": "http://127.0.0.1:1/"}):
        with pytest.raises(NotAuthenticated):
            VERIFIER.verify(token({**HEADER, **planted}, claims(**NAMES), own.sign))


def test_no_token_is_another_error_than_a_bad_one() -> None:
    with pytest.raises(TokenMissing):
        VERIFIER.verify("")


@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{0,40}"))
def test_any_text_is_refused_and_nothing_else_is_raised(text: str) -> None:
    with pytest.raises(NotAuthenticated):
        VERIFIER.verify(text)


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_changed_byte_is_refused(position: int, change: int) -> None:
    text = issuer_at(0).issue("user-1", "user").encode("ascii")
    position %= len(text)
    changed = bytes([*text[:position], (text[position] ^ change) & 0x7F, *text[position + 1 :]]).decode("ascii")
    # The last character of a part has bits that no byte of it uses; only those may differ unnoticed.
    ends = {index - 1 for index, byte in enumerate(text) if byte == ord(".")} | {len(text) - 1}
    if changed.encode() != text and position not in ends:
        with pytest.raises(NotAuthenticated):
            VERIFIER.verify(changed)
