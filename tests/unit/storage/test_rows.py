"""Chains in rows, also those stored before some column existed."""

import msgspec

from aro.testing import factories
from storage_service.rows import in_rows
from worker_enricher.pipeline import enrich_chains, sound_chain


def test_a_column_that_did_not_exist_is_left_out_of_the_rows() -> None:
    [(chain, _)] = enrich_chains([sound_chain(factories.chain())], computed_ts=factories.SNAPSHOT_TS)
    rows = in_rows(chain)["rows"]
    assert len(rows) == 2 * len(chain.strikes)
    assert rows[0]["vanna"] == chain.calls.vanna[0]
    old = msgspec.structs.replace(chain, calls=msgspec.structs.replace(chain.calls, vanna=[], charm=[], volga=[]))
    assert "vanna" not in in_rows(old)["rows"][0]
    assert in_rows(old)["rows"][0]["delta"] == chain.calls.delta[0]
