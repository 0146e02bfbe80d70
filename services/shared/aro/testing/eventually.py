"""Wait for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], description: str, *, seconds: float = 10.0, interval: float = 0.02) -> T:
    """The first truthy result of `probe`. An AssertionError inside `probe` means "not yet".

    Raises
    ------
    AssertionError
        Naming `description` and the last result after `seconds`.
    """
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            result = probe()
            if result:
                return result
            last = result
        except AssertionError as error:
            last = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {seconds} s in vain for {description}; last: {last!r}")
        time.sleep(interval)
