"""start-local, --status, restart of the feed, a killed supervisor, and stop-local, with every real process."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import requests

from aro.testing.eventually import eventually
from aro.testing.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
PORTS = (
    *("ARO_GATEWAY_PORT", "ARO_AUTH_PORT", "ARO_STORAGE_PORT", "ARO_REDIS_PORT", "ARO_MONGO_PORT"),
    *("ARO_FEED_OPERATIONS_PORT", "ARO_CONSUME_OPERATIONS_PORT", "ARO_WORK_OPERATIONS_PORT"),
    "ARO_BEAT_OPERATIONS_PORT",
)

pytestmark = pytest.mark.e2e


class Local:
    """The command line, as the shell scripts call it, on a folder and ports of its own."""

    def __init__(self, home):
        self.home = home
        ports = set()
        while len(ports) < len(PORTS):
            ports.add(free_port())
        self.environ = {key: value for key, value in os.environ.items() if not key.startswith("ARO_")}
        self.environ |= {name: str(port) for name, port in zip(PORTS, ports, strict=True)}
        self.environ |= {"ARO_HOME": str(home), "ARO_GATEWAY_DRAIN_SECONDS": "0.2"}

    def __call__(self, *arguments, **environ):
        command = [sys.executable, str(ROOT / "scripts" / "local_platform.py"), *arguments]
        return subprocess.run(
            command, env={**self.environ, **environ}, capture_output=True, text=True, timeout=120, check=False
        )

    def pids(self):
        return {
            file.stem: int(file.read_text().split()[0]) for file in (self.home / "run").glob("*.pid") if file.is_file()
        }

    def processes(self):
        """Every process of this platform that /proc shows, however it was lost."""
        mark = f"ARO_LOCAL_PLATFORM={self.home}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:
                continue
        return found


@pytest.fixture
def local():
    home = Path(tempfile.mkdtemp(prefix="aro-"))  # pytest's own paths are too long for a Unix socket
    local = Local(home)
    yield local
    stopped = local("stop")
    shutil.rmtree(home)
    assert stopped.returncode == 0, stopped.stderr


def test_life_of_a_local_platform(local):
    started = local("start")
    assert started.returncode == 0, started.stdout + started.stderr
    assert re.findall(r"^(\w[\w ]*?)  .* \d+\.\d s$", started.stdout, re.MULTILINE) == [
        "stores",
        "services",
        "pipeline",
        "demo account",
    ]
    token = re.search(r"^(eyJ\S+)$", started.stdout, re.MULTILINE)[1]
    auth = f"http://127.0.0.1:{local.environ['ARO_AUTH_PORT']}"
    me = requests.get(f"{auth}/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}, timeout=5)
    assert me.json()["email"] == json.loads((local.home / "demo.json").read_text())["email"]
    assert stat.S_IMODE((local.home / "demo.json").stat().st_mode) == 0o600

    status = local("start", "--status")
    assert status.returncode == 0, status.stdout
    assert status.stdout.count("RUNNING  ok") == 9

    before = local.pids()
    again = local("start")
    assert again.returncode == 0
    assert "already running and healthy" in again.stdout
    assert local.pids() == before

    changed = local("start", "--products", "NIFTY")
    assert changed.returncode == 0, changed.stderr
    assert {name for name, pid in local.pids().items() if before[name] != pid} == {"feed"}
    assert "feed            NIFTY, synthetic" in changed.stdout

    os.kill(before["supervisord"], signal.SIGKILL)
    eventually(lambda: local("start", "--status").returncode != 0, "status to tell", interval=0.5)
    orphans = len(local.processes())
    assert orphans >= 8
    stopped = local("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert re.search(r"(\d+) of them without a supervisor", stopped.stdout)
    assert local.processes() == []
    assert local("stop").stdout == "nothing was running\n"


def test_what_stands_in_the_way_is_said_and_nothing_is_left(local):
    taken = local("start", ARO_AUTH_PORT=local.environ["ARO_STORAGE_PORT"])
    assert taken.returncode == 1
    assert "ARO_STORAGE_PORT" in taken.stderr
    assert local.processes() == []

    failed = local("start", ARO_TICK_RETENTION_DAYS="many")
    assert failed.returncode == 1
    assert failed.stderr.startswith("storage ends again and again\n")
    assert "ARO_TICK_RETENTION_DAYS must be a number, not 'many'" in failed.stderr
    assert local.processes() == []


def test_shell_scripts_explain_themselves():
    for script in ("start-local", "stop-local", "seed-data", "test", "check", "lock"):
        shown = subprocess.run(
            ["bash", str(ROOT / "scripts" / f"{script}.sh"), "--help"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert shown.returncode == 0
        assert script in shown.stdout
