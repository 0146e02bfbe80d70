"""Origins of web pages, as a setting lists them."""

import re
from typing import Final

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")


def parse_origin(text: str) -> str:
    """`text` as browsers send it; raises ValueError for anything else: a path, a wildcard, or upper case."""
    if not _ORIGIN.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no origin like https://example.com")
    return text
