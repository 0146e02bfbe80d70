"""The examples against the whole platform: what a person copies from must work."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aro.adapters.live import LiveReader
from aro.testing.eventually import eventually
from aro.testing.platform import Platform

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PNG = b"\x89PNG\r\n"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(Path(tmp_path_factory.mktemp("examples")), feed_arguments=["--products", "NIFTY", "--seed", "3"])
    try:
        running.start()
        reader = LiveReader(running.redis.client())
        for channel in ("surface:NIFTY", "bars:NIFTY:1m"):
            eventually(lambda channel=channel: reader.state(channel), f"{channel} to be live", seconds=30)
        yield running
    finally:
        running.stop()


def run(platform: Platform, *command: object) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("ARO_")}
    environ = {**own, "ARO_API_URL": platform.url("api"), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [str(part) for part in command], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_curl_tour_goes_from_account_to_logout(platform: Platform) -> None:
    told = run(platform, "bash", EXAMPLES / "rest_tour.sh")
    assert "bytes, the same; with its ETag: 304" in told
    assert "accounts are not for it: 403\nrevoked: 401\n" in told
    assert told.endswith("logged out: 401\n")


def test_the_notebook_plots_a_smile_and_candles(platform: Platform, tmp_path: Path) -> None:
    told = run(platform, sys.executable, "-W", "error", EXAMPLES / "rest_notebook.py", "--plots", tmp_path)
    assert "personal token aro_pat_" in told
    for name in ("smile.png", "candles.png"):
        assert (tmp_path / name).read_bytes().startswith(PNG)
        assert (tmp_path / name).stat().st_size > 10_000
