"""A real market in full: NIFTY, NSE, 28-Mar-2022 10:47:19 IST, 21 expiries; ARO_NSE_CAPTURE names the file.

The capture is the exchange's and is not part of this repository. India VIX stood near 24 that morning, which is the
only number here that does not come from the capture or from its own consistency.
"""

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest

from aro.contracts.analytics import ChainMetrics, EnrichedChain, SurfaceState
from aro.contracts.codec import encode_json
from feed_generator.replay.capture import read_capture
from worker_enricher.pipeline import enrich_chains, sound_chain
from worker_enricher.surface import current, surface_state

LIQUID = ("2022-03-31", "2022-04-07", "2022-04-13", "2022-04-28")
"""The four nearest expiries of which more than 1,000 contracts had traded on either side; of 21-Apr, 473 calls."""
STATUSES = {"ok": 1_237, "no_price": 605, "below_intrinsic": 72}
"""Of 957 strikes, both sides, as measured here: every missing volatility has its reason, and none went missing since.
``no_price`` is one-sided or not quoted at all; ``below_intrinsic`` are deep in-the-money quotes off parity."""


@pytest.fixture(scope="module")
def solved(nse_capture: Path) -> list[tuple[EnrichedChain, ChainMetrics]]:
    capture = read_capture(nse_capture)
    sound = [sound_chain(msgspec.structs.replace(chain, source_seq=1)) for chain in capture.chains]
    decode = msgspec.json.decode
    return [
        (decode(encode_json(chain), type=EnrichedChain), decode(encode_json(metrics), type=ChainMetrics))
        for chain, metrics in enrich_chains(sound, computed_ts=capture.ts)
    ]


@pytest.fixture(scope="module")
def state(solved: list[tuple[EnrichedChain, ChainMetrics]]) -> SurfaceState:
    found = surface_state(current([chain for chain, _ in solved]), None, [], computed_ts=1)
    assert found is not None
    return found


def test_every_expiry_is_solved(solved: list[tuple[EnrichedChain, ChainMetrics]]) -> None:
    assert len(solved) == 21
    counts: Counter[str] = Counter()
    for chain, metrics in solved:
        assert chain.forward is not None
        counts += Counter(metrics.iv_status_counts)
    assert counts.total() == 2 * sum(len(chain.strikes) for chain, _ in solved)
    assert dict(counts) == STATUSES


def test_smiles_of_the_nearest_liquid_expiries(state: SurfaceState) -> None:
    slices = {item.expiry: item for item in state.slices}
    for expiry in LIQUID:
        assert slices[expiry].rmse <= 0.005
        assert slices[expiry].raw_rmse <= 0.005
        assert slices[expiry].points >= 25
    assert list(slices)[:3] == list(LIQUID[:3])


def test_the_surface_has_no_arbitrage_and_says_what_its_smiles_had(state: SurfaceState) -> None:
    assert state.model == "svi_repaired"
    assert all(item.g_min >= 0.0 for item in state.slices)
    assert all(np.isfinite(item.raw_g_min) for item in state.slices)
    k = np.linspace(-0.3, 0.25, 500)
    w = np.array([s.a + s.b * (s.rho * (k - s.m) + np.sqrt((k - s.m) ** 2 + s.sigma**2)) for s in state.slices])
    assert (np.diff(w, axis=0) >= 0.0).all()
    # Repair costs little where there are quotes: no smile loses more than a third of a vol point.
    assert all(item.rmse - item.raw_rmse < 0.0035 for item in state.slices)


def test_term_structure_and_indices(state: SurfaceState) -> None:
    assert [point.iv for point in state.term_structure] == [
        pytest.approx(0.2415, abs=2e-3), pytest.approx(0.2335, abs=2e-3), pytest.approx(0.2328, abs=2e-3),
        pytest.approx(0.2289, abs=2e-3),
    ]  # fmt: skip
    for method in ("cboe", "india"):
        assert state.variance_index[method] == pytest.approx(24.0, abs=0.5)


def test_skew_and_exposure_of_the_nearest_expiry(solved: list[tuple[EnrichedChain, ChainMetrics]]) -> None:
    metrics = solved[0][1]
    assert metrics.rr25 == pytest.approx(-0.02, abs=0.01)
    assert metrics.skew_25d_norm == pytest.approx(-metrics.rr25 / metrics.iv_atm, rel=0.02)
    assert metrics.bf25 == pytest.approx(0.003, abs=0.003)
    assert metrics.smile_rmse <= 0.001
    assert metrics.call_oi_wall == 18_000.0
    assert metrics.put_oi_wall == 16_000.0
    assert abs(metrics.gex_net) < metrics.gamma_density
    assert metrics.gex_flip is None or 0.92 < metrics.gex_flip / metrics.spot < 1.08
    assert metrics.parity_residual < 5.0
    assert sum(metrics.call_buildup.values()) == pytest.approx(1.0, abs=1e-5)
