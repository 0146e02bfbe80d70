"""E-mails and passwords as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.adapters.passwords import MAX_LENGTH, MIN_LENGTH
from auth_service.credentials import (
    Unacceptable,
    checked_email,
    checked_password,
    common_passwords,
    normalise_email,
    normalise_password,
)


@pytest.mark.parametrize(
    ("typed", "email"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  Ann.Lee+options@Example.COM ", "ann.lee+options@example.com"),
        ("ａｎｎ@example.com", "ann@example.com"),
        ("x@a-b.example", "x@a-b.example"),
        ("o'neil@sub.domain.example", "o'neil@sub.domain.example"),
    ],
)
def test_one_mailbox_is_one_account(typed: str, email: str) -> None:
    assert checked_email(typed) == email


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ann",
        "ann@",
        "@example.com",
        "ann@localhost",
        "ann@@example.com",
        "ann@example..com",
        ".ann@example.com",
        "ann.@example.com",
        "a..b@example.com",
        "ann lee@example.com",
        "ann@-example.com",
        "ann@example.com\nbcc: all@example.com",
        "ann@example.com\x00",
        "änn@example.com",
        "ann@exämple.com",
        f"{'a' * 65}@example.com",
        f"a@{'b' * 64}.com",
        f"a@{'.'.join(['b' * 60] * 5)}.com",
        '{"$gt": ""}',
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(Unacceptable):
        checked_email(typed)


@given(st.text(max_size=100))
def test_an_accepted_address_is_its_own_normal_form(text: str) -> None:
    try:
        email = checked_email(text)
    except Unacceptable:
        return
    assert normalise_email(email) == email == checked_email(email)


@pytest.mark.parametrize("typed", ["seven..", "x" * (MAX_LENGTH + 1), "", "ｓhort"])
def test_length_has_two_ends(typed: str) -> None:
    with pytest.raises(Unacceptable, match="8 to 128"):
        checked_password(typed, "")


@pytest.mark.parametrize(
    "typed", ["password", "PassWord1", "12345678", "P@SSW0RD", "ｐassword", "iloveyou", "qwertyuiop"]
)
def test_the_first_guesses_are_refused_however_they_are_written(typed: str) -> None:
    with pytest.raises(Unacceptable, match="easy to guess"):
        checked_password(typed, "")


def test_the_own_address_is_no_password() -> None:
    for typed in ("ann.a.lee@example.com", "Ann.A.Lee"):
        with pytest.raises(Unacceptable, match="easy to guess"):
            checked_password(typed, "ann.a.lee@example.com")


@pytest.mark.parametrize("typed", ["correct horse", "x" * 7 + "y", "पासवर्ड बहुत लंबा", "🐴🔋📎✔" * 2, "ab" * 64])
def test_everything_else_is_welcome(typed: str) -> None:
    assert checked_password(typed, "ann@example.com") == normalise_password(typed)


def test_the_block_list_says_only_what_the_length_limit_does_not() -> None:
    listed = common_passwords()
    assert len(listed) >= 100
    assert all(MIN_LENGTH <= len(word) <= MAX_LENGTH and word == word.casefold() for word in listed)
