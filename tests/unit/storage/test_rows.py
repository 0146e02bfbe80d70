"""A chain in rows says what its columns say."""

import msgspec

from aro.contracts.symbols import contract_symbol
from aro.testing import factories
from storage_service.rows import in_rows
from worker_enricher.pipeline import enrich_chains, sound_chain


def test_rows_are_the_columns_by_contract() -> None:
    [(chain, _)] = enrich_chains([sound_chain(factories.chain())], computed_ts=factories.SNAPSHOT_TS)
    document = in_rows(chain)
    rows = document.pop("rows")
    assert [row["strike"] for row in rows] == [strike for strike in chain.strikes for _ in range(2)]
    assert [row["option_type"] for row in rows] == ["CE", "PE"] * len(chain.strikes)
    assert rows[0]["symbol"] == "NIFTY-20261123-24900-CE"
    for option_type, side in (("CE", chain.calls), ("PE", chain.puts)):
        of_side = [row for row in rows if row["option_type"] == option_type]
        for name in side.__struct_fields__:
            assert [row[name] for row in of_side] == getattr(side, name)
    head = msgspec.to_builtins(chain)
    for name in ("strikes", "calls", "puts"):
        del head[name]
    assert msgspec.to_builtins(document) == head


def test_symbols_write_strikes_without_exponent_or_trailing_zeros() -> None:
    assert contract_symbol("AAPL", "2026-12-18", 202.5, "PE") == "AAPL-20261218-202.5-PE"
    assert contract_symbol("SENSEX", "2026-12-31", 1_234_500.0, "CE") == "SENSEX-20261231-1234500-CE"


def test_a_column_that_did_not_exist_is_left_out_of_the_rows() -> None:
    [(chain, _)] = enrich_chains([sound_chain(factories.chain())], computed_ts=factories.SNAPSHOT_TS)
    rows = in_rows(chain)["rows"]
    assert len(rows) == 2 * len(chain.strikes)
    assert rows[0]["vanna"] == chain.calls.vanna[0]
    old = msgspec.structs.replace(chain, calls=msgspec.structs.replace(chain.calls, vanna=[], charm=[], volga=[]))
    assert "vanna" not in in_rows(old)["rows"][0]
    assert in_rows(old)["rows"][0]["delta"] == chain.calls.delta[0]
