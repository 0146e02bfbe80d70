"""Names of contracts."""

from aro.contracts.symbols import contract_symbol


def test_strikes_are_written_without_exponent_or_trailing_zeros() -> None:
    assert contract_symbol("AAPL", "2026-12-18", 202.5, "PE") == "AAPL-20261218-202.5-PE"
    assert contract_symbol("SENSEX", "2026-12-31", 1_234_500.0, "CE") == "SENSEX-20261231-1234500-CE"
