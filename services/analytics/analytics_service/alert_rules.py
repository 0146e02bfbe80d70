"""Pure: when an alert goes off."""

from typing import Final, Literal

Operator = Literal["above", "below", "crosses_above", "crosses_below"]
OPERATORS: Final[tuple[Operator, ...]] = ("above", "below", "crosses_above", "crosses_below")
EVENT_DAYS: Final = 30
"""How long it is remembered when alerts went off."""
_LEVELS: Final = ("above", "below")


def is_beyond(op: Operator, threshold: float, value: float) -> bool:
    """Whether `value` is on the side that the rule watches for; on the threshold itself it is not."""
    return value > threshold if op in ("above", "crosses_above") else value < threshold


def goes_off(op: Operator, *, was_beyond: bool | None, now_beyond: bool) -> bool:
    """``above`` and ``below`` go off when the value comes to be there, and at once if it is there when first seen
    (`was_beyond` None); ``crosses_*`` only if it was seen on the other side, or on the threshold, before."""
    if not now_beyond or was_beyond:
        return False
    return was_beyond is False or op in _LEVELS
