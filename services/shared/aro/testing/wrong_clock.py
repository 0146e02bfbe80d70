"""Processes whose wall clock is wrong, by Debian's libfaketime; their monotonic clock stays right."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PLACES: Final = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime")


def library() -> Path | None:
    """None where it is not installed (Debian and Ubuntu: apt install faketime)."""
    found = (path for place in _PLACES for path in Path("/").glob(f"{place[1:]}/libfaketimeMT.so.1"))
    return next(found, None)


def environ(ahead_seconds: float) -> Mapping[str, str]:
    """What a process must be started with for its clock to be so far ahead."""
    preloaded = library()
    assert preloaded is not None, "libfaketime is not installed"
    return {
        "LD_PRELOAD": str(preloaded),
        "FAKETIME": f"{ahead_seconds:+.0f}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
