"""What may stand in a log line: plain JSON of bounded size, without passwords, tokens and keys.

Used where a line is made and once more where it is stored, so that neither has to trust the other.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from aro.runtime.settings import Secret

MASK: Final = "***"
MAX_TEXT: Final = 8_000
"""Characters of one text; a traceback of forty frames is about 5,000."""
MAX_NAME: Final = 80
MAX_ITEMS: Final = 128
"""Entries of one list or object: twice the snapshots of a batch."""
MAX_DEPTH: Final = 4

_WORDS: Final = ("passw", "pwd", "token", "secret", "authorization", "cookie", "api_key", "apikey", "credential")
_SECRET_NAME: Final = re.compile("|".join((*_WORDS, "private_?key")), re.IGNORECASE)
_ESCAPED_QUOTE: Final = r"\\{0,3}[\"']"

_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_=-]{8,}(?:\.[A-Za-z0-9_=-]*)*")
_OUR_TOKEN: Final = re.compile(r"\baro_[a-z]{2,12}_[A-Za-z0-9_-]{8,}")
# Up to the last "@" of the authority: people put "@" into passwords without escaping it.
_URL_USER: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{1,20}://)[^\s/\"'<>]*@")
_BEARER: Final = re.compile(r"\b(bearer|basic)(\s+|%20)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
# These two go on to the end of their line: "Cookie: a=1; b=2", "Authorization: Digest username=…, response=…".
_HEADER: Final = re.compile(
    rf"((?:authorization|cookie)(?:{_ESCAPED_QUOTE})?\s{{0,3}}[:=,]\s{{0,3}})(?:[bru]?({_ESCAPED_QUOTE}).*?(?<!\\)\2|[^\r\n\"']+)",
    re.IGNORECASE,
)
_ASSIGNED: Final = re.compile(
    rf"((?:{'|'.join(_WORDS)})[\w-]{{0,30}}(?:{_ESCAPED_QUOTE}\s{{0,3}}[:=,]|\s{{0,3}}[:=])\s{{0,3}})"
    rf"(?:[bru]?({_ESCAPED_QUOTE}).{{0,500}}?(?<!\\)\2|Secret\('\*\*\*'\)|[^\s,;&}}\])]+)",
    re.IGNORECASE | re.DOTALL,
)


@lru_cache(maxsize=2_000)
def is_secret_name(name: str) -> bool:
    """Whether what is called `name` is never shown."""
    return _SECRET_NAME.search(name) is not None


def redact_text(text: str) -> str:
    """`text` without what looks like a JSON web token, a token of ours, the user part of a URL, an authorization or
    cookie header, or a value assigned to a secret name (``password=…``, ``"refresh_token": "…"``)."""
    if "eyJ" in text:
        text = _JWT.sub(MASK, text)
    if "aro_" in text:
        text = _OUR_TOKEN.sub(MASK, text)
    if "://" in text:
        text = _URL_USER.sub(rf"\1{MASK}@", text)
    lowered = text.lower()
    if "bearer" in lowered or "basic" in lowered:
        text = _BEARER.sub(rf"\1\2{MASK}", text)
    if any(word in lowered for word in _WORDS):
        text = _HEADER.sub(rf"\1{MASK}", text)
        text = _ASSIGNED.sub(rf"\1{MASK}", text)
    return text


def clean(value: Any, *, depth: int = 0) -> Any:
    """`value` as JSON types that any encoder takes: redacted, cut to size, whatever it was.

    What is no JSON type becomes its ``repr``; NaN and infinities become None, as everywhere in this platform.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else clean_text(str(value)[:MAX_NAME])
    if isinstance(value, float):
        return float(value) if value - value == 0 else None
    if isinstance(value, str):
        return MASK if isinstance(value, Secret) else clean_text(value)
    if depth < MAX_DEPTH:
        if isinstance(value, Mapping):
            return clean_object(value, depth=depth + 1)
        if isinstance(value, list | tuple | set | frozenset):
            return [clean(item, depth=depth + 1) for _, item in zip(range(MAX_ITEMS), value, strict=False)]
    return clean_text(_described(value))


def clean_object(value: Mapping[Any, Any], *, depth: int = 0) -> dict[str, Any]:
    """A `clean` object: at most `MAX_ITEMS` names of at most `MAX_NAME` characters."""
    cleaned: dict[str, Any] = {}
    for _, (key, item) in zip(range(MAX_ITEMS), value.items(), strict=False):
        name = clean_text(key if isinstance(key, str) else _described(key))[:MAX_NAME]
        cleaned[name] = MASK if is_secret_name(name) else clean(item, depth=depth)
    return cleaned


def clean_text(text: str) -> str:
    """Redacted first and cut second, so that no cut leaves half a secret that is not recognised."""
    if not text.isascii():
        # Lone surrogates are in no UTF-8, and so in no JSON.
        text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) > 4 * MAX_TEXT:
        text = _cut(text, 4 * MAX_TEXT)
    return _cut(redact_text(text), MAX_TEXT)


def _cut(text: str, most: int) -> str:
    """The beginning and, as tracebacks end with what matters, more of the end."""
    if len(text) <= most:
        return text
    head = most // 4
    return f"{text[:head]} … {text[head + 3 - most :]}"


def _described(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value[: 4 * MAX_TEXT]).decode("utf-8", "replace")
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a repr may raise anything, and a log line must not
        return f"<{type(value).__name__}>"
