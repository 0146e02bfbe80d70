"""Numbers as the page writes them, compared with numbers as REST has them."""

import re
from typing import Any, Final

UNITS: Final = {"": 1.0, "k": 1e3, "L": 1e5, "M": 1e6, "Cr": 1e7, "B": 1e9}
HUNDREDFOLD: Final = {"iv", "bid_iv", "ask_iv", "iv_atm"}
"""Fields that the page shows in per cent."""
MISSING: Final = "–"
_NUMBER: Final = re.compile(r"(?P<sign>[−+±]?)(?P<digits>[\d,]+)(?:\.(?P<decimals>\d+))?\s*(?P<unit>k|L|M|Cr|B|)\s*%?")


def is_shown(text: str, value: float | None, field: str) -> bool:
    """Whether `text` is `value`, rounded to the digits that it has."""
    if value is None:
        return text == MISSING
    match = _NUMBER.fullmatch(text)
    if match is None:
        return False
    decimals = match["decimals"] or ""
    number = float(match["digits"].replace(",", "") + "." + (decimals or "0")) * UNITS[match["unit"]]
    if match["sign"] == "−":
        number = -number
    exact = value * 100 if field in HUNDREDFOLD else value
    last_digit = 10.0 ** -len(decimals) * UNITS[match["unit"]]
    # A value in the middle between two may be rounded either way.
    return abs(number - exact) <= last_digit * 0.500001


def differences(shown: dict[str, str], values: dict[str, Any]) -> list[str]:
    """What is shown as something else than it is: field → text beside field → value."""
    return [
        f"{field}: {text!r} for {values[field]!r}"
        for field, text in shown.items()
        if not is_shown(text, values[field], field)
    ]
