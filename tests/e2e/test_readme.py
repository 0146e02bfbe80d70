"""README's own commands, as they stand there, against the whole platform."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from aro.adapters.live import LiveReader
from aro.testing.eventually import eventually
from aro.testing.platform import REPLAY, SERVICES, Platform

README = Path(__file__).resolve().parents[2] / "README.md"
FENCE = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHANNEL = re.compile(r"^\| `(\w+:?[^`]*)` \|", re.MULTILINE)
ANSWERS = 9
"""Registration, five JSON answers, one of CSV with its head, and a personal token: no fewer lines than this."""

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(Path(tmp_path_factory.mktemp("readme")), feed_arguments=["--products", "NIFTY", "--seed", "5"])
    try:
        running.start((*SERVICES, REPLAY))
        reader = LiveReader(running.redis.client())
        for channel in ("surface:NIFTY", "bars:NIFTY:1m"):
            eventually(lambda channel=channel: reader.state(channel), f"{channel} to be live", seconds=30)
        yield running
    finally:
        running.stop()


def section(title: str) -> str:
    return README.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_what_it_asks_is_answered(platform: Platform) -> None:
    asked, personal, _administrator = FENCE.findall(section("Ask"))
    # A platform that has just started has no state of a minute ago; the newest that is stored is as good.
    script = (asked + personal).replace("http://127.0.0.1:8000", platform.url("api")).replace("- 60)", "- 0)")
    script = script.replace("curl -s", "curl -sS --fail-with-body -w '\\n'")
    assert script.count(platform.url("api")) == 1
    own = {name: value for name, value in os.environ.items() if not name.startswith("ARO_")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], env=own, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert len(done.stdout.splitlines()) >= ANSWERS
    assert "aro_pat_" in done.stdout


def test_channels_that_it_lists_come_alive(platform: Platform) -> None:
    listed = CHANNEL.findall(section("Subscribe"))
    assert len(listed) == 6
    reader = LiveReader(platform.redis.client())
    # Any expiry will do: README's is only an example.
    starts = [re.sub(r"\d{4}-\d\d-\d\d$", "", channel) for channel in listed]

    def all_live() -> bool:
        live = reader.channels()
        return all(any(name.startswith(start) for name in live) for start in starts)

    eventually(all_live, f"{', '.join(listed)} to be live", seconds=30)
