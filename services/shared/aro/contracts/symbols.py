"""Names of single contracts, as people and programs write them."""

from typing import Literal

OptionType = Literal["CE", "PE"]


def strike_text(strike: float) -> str:
    """``24550`` and ``202.5``: no trailing zeros and no exponent."""
    return str(int(strike)) if strike.is_integer() else str(strike)


def contract_symbol(product: str, expiry: str, strike: float, option_type: OptionType) -> str:
    """``NIFTY-20261229-24550-CE`` of an `expiry` written ``2026-12-29``."""
    return f"{product}-{expiry.replace('-', '')}-{strike_text(strike)}-{option_type}"
