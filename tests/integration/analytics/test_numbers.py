"""What is answered equals what the worker published for the same snapshot."""

from typing import Any

import msgspec
import pytest

from analytics_service.smiles import smile
from aro.adapters.live import LiveReader
from aro.contracts.analytics import ChainMetrics, EnrichedChain
from aro.contracts.codec import encode_json
from aro.contracts.names import metrics_channel


def published(market: Any, live: Any, expiry: str) -> dict[str, Any]:
    """The bytes of the metrics channel, decoded."""
    state = LiveReader(live).state(metrics_channel("NIFTY", expiry))
    assert state is not None
    assert state.data == encode_json(market.last(expiry).metrics)
    return msgspec.json.decode(state.data)


EQUAL = {
    "pcr": (
        "pcr_oi pcr_volume pcr_oi_value pcr_oi_change call_open_interest put_open_interest call_volume put_volume "
        "call_open_interest_change put_open_interest_change"
    ),
    "straddle": "spot forward atm_strike atm_straddle atm_straddle_forward iv_atm",
    "max-pain": "max_pain spot forward",
    "gex": "gex_net gex_flip gamma_density call_wall put_wall spot",
    "oi-change": "pcr_oi_change call_open_interest_change put_open_interest_change",
    "smile": "iv_atm rr25 bf25 skew_25d_norm spot forward atm_strike",
}


@pytest.mark.parametrize("route", EQUAL)
def test_live_answers_are_the_published_metrics(route, get, market, live):
    for expiry in market.expiries:
        metrics = published(market, live, expiry)
        answer = get(f"/analytics/NIFTY/{route}", expiry=expiry)
        assert answer["source_ts"] == metrics["source_ts"]
        for name in EQUAL[route].split():
            assert answer[name] == metrics[name], (expiry, name)


def test_expected_moves_are_the_published_ones(get, market, live):
    answer = get("/analytics/NIFTY/expected-move", scope="all")
    assert [move["expiry"] for move in answer["moves"]] == market.expiries
    for move in answer["moves"]:
        metrics = published(market, live, move["expiry"])
        for name in ("expected_move_1sd", "expected_move_straddle", "expected_move_85", "iv_atm", "forward"):
            assert move[name] == metrics[name]
        assert move["high"] - move["forward"] == pytest.approx(move["expected_move_1sd"], abs=1e-3)


def test_build_up_shares_are_the_published_ones(get, market, live):
    metrics = published(market, live, market.nearest)
    answer = get("/analytics/NIFTY/oi-buildup")
    assert answer["basis"] == "prev_close"
    assert answer["calls"]["shares"] == metrics["call_buildup"]
    assert answer["puts"]["shares"] == metrics["put_buildup"]


def test_curves_and_profiles_belong_to_their_headlines(get, market):
    pain = get("/analytics/NIFTY/max-pain")
    assert pain["strikes"][pain["pain"].index(min(pain["pain"]))] == pain["max_pain"]
    gex = get("/analytics/NIFTY/gex")
    assert known(gex["net_gex"]) == pytest.approx(gex["gex_net"], rel=1e-9)
    assert known(gex["call_gex"]) - known(gex["put_gex"]) == pytest.approx(gex["gamma_density"], rel=1e-9)
    at_spot = gex["gex_by_spot"][gex["spots"].index(gex["spot"])]
    assert at_spot == pytest.approx(gex["gex_net"], rel=1e-6)
    if gex["gex_flip"] is not None:
        left = [i for i, spot in enumerate(gex["spots"]) if spot <= gex["gex_flip"]][-1]
        assert gex["gex_by_spot"][left] * gex["gex_by_spot"][left + 1] <= 0
    short = get("/analytics/NIFTY/gex", sign_model="all_short")
    assert short["gex_net"] == pytest.approx(-gex["gamma_density"])
    assert short["gex_flip"] is None


def test_every_expiry_together(get, market):
    metrics = [market.last(expiry).metrics for expiry in market.expiries]
    pcr = get("/analytics/NIFTY/pcr", scope="all")
    assert pcr["expiries"] == market.expiries
    assert pcr["put_open_interest"] == sum(item.put_open_interest for item in metrics)
    assert pcr["pcr_oi"] == pytest.approx(pcr["put_open_interest"] / pcr["call_open_interest"], abs=1e-6)
    assert get("/analytics/NIFTY/pcr", scope="next3")["expiries"] == market.expiries[:3]
    gex = get("/analytics/NIFTY/gex", scope="all")
    assert gex["gex_net"] == pytest.approx(sum(item.gex_net for item in metrics), rel=1e-9)
    assert gex["gamma_density"] == pytest.approx(sum(item.gamma_density for item in metrics), rel=1e-9)
    assert known(gex["net_gex"]) == pytest.approx(gex["gex_net"], rel=1e-9)


def known(values):
    return sum(value for value in values if value is not None)


def test_surface_numbers_are_the_published_ones(get, raw, market, live):
    state = msgspec.json.decode(LiveReader(live).state("surface:NIFTY").data)
    assert raw("/analytics/NIFTY/surface").data == LiveReader(live).state("surface:NIFTY").data
    grid = get("/analytics/NIFTY/surface", axis="moneyness")["grid"]
    assert grid["points"] == state["moneyness"]
    assert [row["iv"] for row in grid["rows"]] == [item["iv"] for item in state["slices"]]
    term = get("/analytics/NIFTY/term-structure")
    assert term["constant_maturity"] == state["term_structure"]
    assert [item["iv_atm"] for item in term["expiries"]] == [item["iv_atm"] for item in state["slices"]]
    assert get("/analytics/NIFTY/variance-index")["variance_index"] == state["variance_index"]
    rank = get("/analytics/NIFTY/iv-rank")
    assert (rank["iv_rank"], rank["iv_percentile"], rank["n_obs"]) == (
        state["iv_rank"],
        state["iv_percentile"],
        state["iv_n_obs"],
    )
    assert rank["n_obs"] == 56


def test_a_smile_is_its_fit(get, market):
    answer = get("/analytics/NIFTY/smile")
    fit = answer["fit"]
    for k, iv in zip(answer["moneyness"], answer["fitted_iv"], strict=True):
        w = fit["a"] + fit["b"] * (fit["rho"] * (k - fit["m"]) + ((k - fit["m"]) ** 2 + fit["sigma"] ** 2) ** 0.5)
        assert iv == pytest.approx((w / answer["dte_years"]) ** 0.5, abs=2e-6)
    assert fit["rmse"] == pytest.approx(market.last(market.nearest).metrics.smile_rmse, abs=1e-6)
    assert sum(answer["used"]) == fit["points"]
    chain = msgspec.json.decode(market.last(market.nearest).data, type=EnrichedChain)
    assert answer["calls"]["iv"] == chain.calls.iv
    assert smile(chain, explain=True).explain.filters["quotes_used"] == fit["points"]


def test_explained_strips_make_the_index(get, market):
    answer = get("/analytics/NIFTY/variance-index", explain=1)
    near, far = answer["explain"]["inputs"]["cboe"]
    days = [term["dte_years"] * 365 for term in (near, far)]
    weighted = near["variance"] * near["dte_years"] * (days[1] - 30) + far["variance"] * far["dte_years"] * (
        30 - days[0]
    )
    index = 100 * (weighted / (days[1] - days[0]) * 365 / 30) ** 0.5
    assert index == pytest.approx(answer["variance_index"]["cboe"], abs=1e-3)
    # Weeklies are not part of India's method.
    assert all(term["expiry"] in market.expiries for term in answer["explain"]["inputs"]["india"])
    for term in (near, far):
        assert len(term["strikes"]) == len(term["contributions"]) > 20


def test_explanations_name_snapshots_and_forward(get, market):
    record = market.last(market.nearest)
    for route in ("pcr", "straddle", "max-pain", "gex", "oi-change", "oi-buildup", "expected-move", "smile"):
        plain = get(f"/analytics/NIFTY/{route}")
        assert "explain" not in plain
        explained = get(f"/analytics/NIFTY/{route}", explain=1)
        [snapshot] = explained.pop("explain")["snapshots"]
        assert explained == plain
        assert snapshot["id"] == record.chain.id
        assert snapshot["forward_source"] == "parity"
        assert snapshot["forward"] == record.chain.forward


def test_the_struct_of_metrics_is_covered():
    """Whatever the brief calls equal is a field of the published metrics."""
    names = {name for names in EQUAL.values() for name in names.split()}
    assert names <= set(ChainMetrics.__struct_fields__)
