"""Answers as they look, shortened, for the API's description."""

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec


def example(route: str) -> Any:
    """One that was really given, see ``tests/integration/analytics/test_examples.py``; None if there is none yet."""
    return _all().get(route)


@cache
def _all() -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(files("analytics_service").joinpath("examples.json").read_bytes())
    return found
