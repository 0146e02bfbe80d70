"""The official client in a real browser: nothing is negotiated that costs per client, and the numbers are REST's."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from aro.adapters.live import LiveReader
from aro.testing.browser import Browser, Files, program
from aro.testing.eventually import eventually
from aro.testing.platform import Platform

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "examples" / "option-aro-client.mjs"
LIBRARY = ROOT / "scripts" / "node_modules" / "socket.io-client" / "dist" / "socket.io.esm.min.js"
ACCOUNT = {"email": "browser@example.com", "password": "a password for the browser"}
PAGE = b"""<!doctype html>
<script type="module">
  import { io } from "/socket.io.mjs";
  import { OptionAro, login } from "/client.mjs";
  window.told = { states: {}, infos: [], notices: [] };
  window.follow = (api, url, { email, password }, forms) => {
    const onNotice = (name, payload) => told.notices.push([name, payload]);
    window.aro = new OptionAro(io, { url, token: login(api, email, password), onNotice });
    for (const [channel, options] of forms) {
      aro.subscribe([channel], (name, state, info) => {
        told.states[`${name} ${info.epoch} ${info.seq}`] = state;
        told.infos.push([name, info]);
      }, options);
    }
    aro.start();
  };
</script>
"""

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    path = program()
    if path is None:
        pytest.skip("no Chromium or Chrome is on PATH: the official client cannot be tried in a browser")
    with Browser(path, Path(tmp_path_factory.mktemp("browser"))) as running:
        yield running


@pytest.fixture(scope="module")
def site() -> Iterator[Files]:
    if not LIBRARY.exists():
        pytest.skip("packages of scripts/package.json are not installed: there is no socket.io-client for a page")
    script = "text/javascript"
    files = {"/": ("text/html", PAGE), "/client.mjs": (script, CLIENT.read_bytes())}
    with Files(files | {"/socket.io.mjs": (script, LIBRARY.read_bytes())}) as serving:
        yield serving


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, browser: Browser, site: Files) -> Iterator[Platform]:
    running = Platform(
        Path(tmp_path_factory.mktemp("platform")),
        feed_arguments=["--products", "NIFTY", "--interval", "0.5", "--seed", "7"],
        environ={"ARO_CORS_ORIGINS": site.origin},
    )
    try:
        running.start(("auth", "api", "gateway", "consume", "work", "feed"))
        yield running
    finally:
        running.stop()


def test_numbers_in_a_browser_are_those_of_rest(
    platform: Platform, browser: Browser, site: Files, request: pytest.FixtureRequest
) -> None:
    api, gateway = platform.url("api"), platform.url("gateway")
    session = requests.Session()
    assert session.post(f"{api}/api/v1/auth/register", json=ACCOUNT, timeout=10).status_code == 201
    token = session.post(f"{api}/api/v1/auth/login", json=ACCOUNT, timeout=10).json()["access_token"]
    session.headers["Authorization"] = f"Bearer {token}"

    reader = LiveReader(platform.redis.client())

    def chains() -> list[str]:
        return sorted(channel for channel in reader.channels() if channel.startswith("chain:NIFTY:"))

    last = eventually(chains, "a live chain", seconds=30)[-1].split(":")[2]
    paths = {
        f"chain:NIFTY:{last}": f"/api/v1/chains/NIFTY?expiry={last}",
        f"metrics:NIFTY:{last}": f"/api/v1/chains/NIFTY/metrics?expiry={last}",
    }
    forms = [*zip(paths, ({"delta": True, "encoding": "deflate"}, {"delta": True}), strict=True), ("ticks:NIFTY", {})]
    browser.open(f"{site.origin}/")
    browser.evaluate(f"follow({json.dumps(api)}, {json.dumps(gateway)}, {json.dumps(ACCOUNT)}, {json.dumps(forms)})")

    rest: dict[str, Any] = {}
    until = time.monotonic() + request.config.getoption("--browser-seconds")

    def follow() -> bool:
        for channel, path in paths.items():
            answer = session.get(api + path, timeout=10)
            assert answer.ok, answer.text
            rest[f"{channel} {answer.headers['X-Epoch']} {answer.headers['X-Seq']}"] = answer.json()
        return time.monotonic() >= until

    eventually(follow, "the time to pass", seconds=request.config.getoption("--browser-seconds") + 10, interval=0.15)
    told = browser.evaluate("aro.close(), told")

    assert [name for name, _ in told["notices"]] == ["connected", "disconnected"], told["notices"]
    for channel, _ in forms:
        infos = [info for name, info in told["infos"] if name == channel]
        assert [info["seq"] - infos[0]["seq"] for info in infos] == list(range(len(infos)))
        assert len(infos) > 4
    for channel in paths:
        both = [key for key in rest.keys() & told["states"].keys() if key.startswith(channel)]
        assert len(both) > 4, f"{channel}: {len(rest)} states of REST"
        assert [told["states"][key] for key in both] == [rest[key] for key in both]
    assert {info["event"] for _, info in told["infos"]} >= {"snapshot", "delta"}

    # The offer is what makes the refusal mean something.
    [asked] = browser.happened("Network.webSocketWillSendHandshakeRequest")
    [answered] = browser.happened("Network.webSocketHandshakeResponseReceived")
    assert "permessage-deflate" in headers(asked["request"])["sec-websocket-extensions"]
    assert answered["response"]["status"] == 101
    assert "sec-websocket-extensions" not in headers(answered["response"])


def headers(message: dict[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in message["headers"].items()}
