"""Patches applied by the letter, for tests of who makes them and who sends them."""

import json
from typing import Any


class Written(str):
    """A number as it is written: 1, 1.0 and 1.00 are three values."""

    __slots__ = ()


def load(text: str | bytes) -> Any:
    """JSON with its numbers as `Written`."""
    return json.loads(text, parse_float=Written, parse_int=Written)


def applied(state: Any, patch: dict[str, Any]) -> Any:
    """The state after `patch`. Raises KeyError, IndexError or ValueError for a patch of another state."""
    if isinstance(state, list):
        cells = list(state)
        for index, value in zip(patch["at"], patch["to"], strict=True):
            cells[int(index)] = value
        return cells
    members = {**state}
    for key in patch.get("cut", ()):
        del members[key]
    members |= patch.get("put", {})
    for key, inner in patch.get("in", {}).items():
        members[key] = applied(members[key], inner)
    return members
