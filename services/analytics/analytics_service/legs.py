"""Pure: contracts and spreads as people write them."""

import re
from datetime import date
from typing import Final, NamedTuple

from aro.contracts.problems import NotFound, UnknownExpiry
from aro.contracts.products import PRODUCTS
from aro.contracts.symbols import OptionType, strike_text

MAX_LEGS: Final = 8

_SYMBOL: Final = re.compile(r"([A-Z0-9]{1,20})-(\d{4})(\d{2})(\d{2})-(\d{1,7}(?:\.\d{1,4})?)-(CE|PE)", re.ASCII)
_DATE_PATTERN: Final = r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
# "+" of a query string that was not percent-encoded arrives as a space.
_LEG_PATTERN: Final = rf"[+ -]?([1-9][0-9]{{0,2}}x)?[1-9][0-9]{{0,6}}(\.[0-9]{{1,4}})?(CE|PE)(@{_DATE_PATTERN})?"
LEGS_PATTERN: Final = f"{_LEG_PATTERN}(,{_LEG_PATTERN}){{0,{MAX_LEGS - 1}}}"
_LEG: Final = re.compile(
    r"(?P<sign>[+ -]?)(?:(?P<quantity>\d+)x)?(?P<strike>[\d.]+)(?P<type>CE|PE)(?:@(?P<expiry>[\d-]+))?", re.ASCII
)


class Contract(NamedTuple):
    product: str
    expiry: str
    strike: float
    option_type: OptionType


class Leg(NamedTuple):
    """`quantity` contracts, below 0 if sold; `expiry` None is that of the question."""

    quantity: int
    strike: float
    option_type: OptionType
    expiry: str | None

    def __str__(self) -> str:
        sign = "-" if self.quantity < 0 else ""
        times = f"{abs(self.quantity)}x" if abs(self.quantity) != 1 else ""
        at = f"@{self.expiry}" if self.expiry else ""
        return f"{sign}{times}{strike_text(self.strike)}{self.option_type}{at}"


def parse_symbol(text: str) -> Contract | None:
    """The contract that ``NIFTY-20261229-24550-CE`` names; None if it names none (a product, perhaps)."""
    match = _SYMBOL.fullmatch(text)
    if match is None or match[1] not in PRODUCTS or not _is_date(f"{match[2]}-{match[3]}-{match[4]}"):
        return None
    return Contract(match[1], f"{match[2]}-{match[3]}-{match[4]}", float(match[5]), _option_type(match[6]))


def parse_legs(text: str) -> tuple[Leg, ...]:
    """``24500CE,-2x24600CE@2026-12-29``: a comma between legs, ``-`` sells, ``2x`` is a quantity, ``@`` an expiry.

    `text` matches `LEGS_PATTERN`, else ValueError. Raises `UnknownExpiry` for an expiry that is no date.
    """
    return tuple(_leg(part) for part in text.split(","))


def position_of(strikes: list[float], strike: float, *, where: str) -> int:
    """Index of a listed strike. Raises `NotFound`."""
    try:
        return strikes.index(strike)
    except ValueError:
        raise NotFound(f"{where} lists no strike {strike_text(strike)}") from None


def _leg(text: str) -> Leg:
    match = _LEG.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no leg")
    if match["expiry"] and not _is_date(match["expiry"]):
        raise UnknownExpiry(f"{match['expiry']} is no date")
    sign = -1 if match["sign"] == "-" else 1
    quantity = int(match["quantity"] or 1)
    return Leg(sign * quantity, float(match["strike"]), _option_type(match["type"]), match["expiry"])


def _option_type(text: str) -> OptionType:
    return "CE" if text == "CE" else "PE"


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
