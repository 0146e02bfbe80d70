"""A real capture through the whole platform: NIFTY, NSE, 28-Mar-2022 10:47:19 IST, 21 expiries.

The capture is the exchange's and is not part of this repository: ARO_NSE_CAPTURE names the file. The totals below are
printed in the capture itself (``filtered``); the forward is that of put-call parity at the money.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from aro.testing.eventually import eventually
from aro.testing.platform import Platform
from aro.testing.witness import ClientWitness

EXPIRY = "2022-03-31"
EXPIRIES = 21


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, nse_capture: Path) -> Iterator[Platform]:
    arguments = ["--provider", "replay", "--file", str(nse_capture), "--loop"]
    running = Platform(Path(tmp_path_factory.mktemp("capture")), feed_arguments=arguments)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def token(platform: Platform) -> str:
    account = {"email": "reader@example.com", "password": "reads the capture"}
    auth = f"{platform.url('auth')}/api/v1/auth"
    assert requests.post(f"{auth}/register", json=account, timeout=5).status_code == 201
    return str(requests.post(f"{auth}/login", json=account, timeout=5).json()["access_token"])


@pytest.fixture(scope="module")
def client(platform: Platform, token: str) -> Iterator[ClientWitness]:
    redis = platform.redis.client()
    eventually(lambda: redis.scard("live-channels") >= 2 * EXPIRIES + 1, "all expiries to be live", seconds=20)
    witness = ClientWitness(platform.url("gateway"), token, ["chain:NIFTY:*", "metrics:NIFTY:*"])
    witness.start()
    eventually(lambda: len(witness.channels) == 2 * EXPIRIES, "a snapshot of every channel")
    yield witness
    witness.stop()


def test_totals_ratio_and_forward_of_the_nearest_expiry(client: ClientWitness) -> None:
    metrics: dict[str, Any] = client.channels[f"metrics:NIFTY:{EXPIRY}"].last_data
    assert metrics["call_open_interest"] == 2_017_305
    assert metrics["put_open_interest"] == 1_479_301
    assert round(metrics["pcr_oi"], 4) == 0.7333
    assert metrics["forward"] == pytest.approx(17_037, abs=2)
    assert metrics["forward_source"] == "parity"
    assert "forward_band_crossed" in metrics["flags"]


def test_call_and_put_volatility_agree_at_each_strike_near_the_money(client: ClientWitness) -> None:
    chain: dict[str, Any] = client.channels[f"chain:NIFTY:{EXPIRY}"].last_data
    legs = zip(chain["strikes"], chain["calls"]["iv"], chain["puts"]["iv"], strict=True)
    near = [(call, put) for strike, call, put in legs if 16_750 <= strike <= 17_250]
    assert len(near) == 11
    assert all(abs(call - put) <= 0.003 for call, put in near)


def test_every_expiry_is_served_from_storage(platform: Platform, token: str, client: ClientWitness) -> None:
    def get(path: str, **query: str) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.get(f"{platform.url('storage')}/api/v1{path}", params=query, headers=headers, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stored() -> list[str]:
        return [item["expiry"] for item in get("/products/NIFTY/expiries")["expiries"]]

    eventually(lambda: len(stored()) == EXPIRIES, "all expiries to be stored")
    for expiry in stored():
        chain = get("/chains/NIFTY", expiry=expiry)
        assert chain["expiry"] == expiry
        live = client.channels[f"chain:NIFTY:{expiry}"].last_data
        assert chain["strikes"] == live["strikes"]
        assert chain["calls"]["iv"] == live["calls"]["iv"]


def test_dead_strikes_and_one_sided_quotes_are_null_with_a_flag(client: ClientWitness) -> None:
    chains = [record.last_data for name, record in client.channels.items() if name.startswith("chain:")]
    seen = {flag for chain in chains for side in ("calls", "puts") for flags in chain[side]["flags"] for flag in flags}
    assert {"no_bid", "no_ask", "not_listed", "never_traded", "fractional_open_interest"} <= seen
    for chain in chains:
        for side in ("calls", "puts"):
            columns = chain[side]
            for bid, ask, mid, iv, status in zip(
                columns["bid"], columns["ask"], columns["mid"], columns["iv"], columns["iv_status"], strict=True
            ):
                assert (mid is None) == (bid is None or ask is None)
                assert (iv is None) == (status != "ok")
                assert 0 not in (bid, ask, mid)
