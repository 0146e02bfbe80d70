"""A chain in rows, one per contract, for tables and data frames."""

from typing import Any

import msgspec

from aro.contracts.analytics import EnrichedChain
from aro.contracts.symbols import OptionType, contract_symbol

Row = dict[str, Any]


def in_rows(chain: EnrichedChain) -> dict[str, Any]:
    """The chain's head with `rows` in the place of its columns, by strike, call before put."""
    document = {name: getattr(chain, name) for name in chain.__struct_fields__}
    strikes, calls, puts = (document.pop(name) for name in ("strikes", "calls", "puts"))
    sides: list[tuple[OptionType, dict[str, list[Any]]]] = [
        ("CE", msgspec.structs.asdict(calls)),
        ("PE", msgspec.structs.asdict(puts)),
    ]
    document["rows"] = [
        _row(chain, strike, option_type, columns, position)
        for position, strike in enumerate(strikes)
        for option_type, columns in sides
    ]
    return document


def _row(
    chain: EnrichedChain, strike: float, option_type: OptionType, columns: dict[str, list[Any]], position: int
) -> Row:
    return {
        "symbol": contract_symbol(chain.product, chain.expiry, strike, option_type),
        "strike": strike,
        "option_type": option_type,
        # A column that did not exist when the chain was stored is empty.
        **{name: column[position] for name, column in columns.items() if column},
    }
