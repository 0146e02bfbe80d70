"""What counts as an e-mail address and as a password. Pure: the same text always gives the same answer."""

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final

from aro.adapters.passwords import MAX_LENGTH, MIN_LENGTH

MAX_EMAIL: Final = 254
"""RFC 5321's limit of a path, less its angle brackets."""
MAX_LOCAL: Final = 64

_ATOM: Final = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LABEL}")


class Unacceptable(ValueError):
    """The text says why, in words for the person who typed it."""


def normalise_email(text: str) -> str:
    """One account per mailbox as people see it: case and compatibility forms do not make another one."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def checked_email(text: str) -> str:
    """`text` normalised. Raises `Unacceptable` unless it is ``local@domain.tld`` in ASCII."""
    email = normalise_email(text)
    local = email.partition("@")[0]
    if len(email) > MAX_EMAIL or len(local) > MAX_LOCAL or not _EMAIL.fullmatch(email):
        raise Unacceptable("Not a valid e-mail address.")
    return email


def normalise_password(text: str) -> str:
    """NFKC (NIST SP 800-63B §5.1.1.2), so that two keyboards that show the same characters log in alike."""
    return unicodedata.normalize("NFKC", text)


def checked_password(text: str, email: str) -> str:
    """`text` normalised. Raises `Unacceptable` if it is too short, too long, or among the first to be guessed."""
    password = normalise_password(text)
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Unacceptable(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.")
    folded = password.casefold()
    if folded in common_passwords() or folded in (email, email.partition("@")[0]):
        raise Unacceptable("This password is too easy to guess.")
    return password


@cache
def common_passwords() -> frozenset[str]:
    """Case-folded. Only what passes the length limit is on the list."""
    text = files("auth_service").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))
