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
from local.programs import PAGE, TIERS

from aro.testing.eventually import eventually
from aro.testing.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
PORTS = (
    *("ARO_API_PORT", "ARO_GATEWAY_PORT", "ARO_AUTH_PORT", "ARO_STORAGE_PORT", "ARO_ANALYTICS_PORT"),
    *("ARO_LOGGING_PORT", "ARO_REDIS_PORT", "ARO_MONGO_PORT", "ARO_API_OPERATIONS_PORT"),
    *("ARO_FEED_OPERATIONS_PORT", "ARO_CONSUME_OPERATIONS_PORT", "ARO_WORK_OPERATIONS_PORT"),
    "ARO_BEAT_OPERATIONS_PORT",
)
JSON = ("-H", "Content-Type: application/json", "-d")

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

    def curl(self, path, *options, token=None):
        """Through the api-gateway, as a person does it."""
        head = ["-H", f"Authorization: Bearer {token}"] if token else []
        command = ["curl", "-sS", "--fail-with-body", *head, *options, f"{self.api}{path}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def admin(self):
        """The token of an administrator, who is made as an operator does it."""
        mongo = f"mongodb://127.0.0.1:{self.environ['ARO_MONGO_PORT']}"
        account = {"email": "root@example.com", "password": "a password of some length"}
        made = subprocess.run(
            [sys.executable, "-m", "auth_service", "admin", "create", account["email"]],
            env={**self.environ, "ARO_MONGO_URL": mongo},
            input=account["password"] + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        return json.loads(self.curl("/api/v1/auth/login", *JSON, json.dumps(account)))["access_token"]

    @property
    def api(self):
        return f"http://127.0.0.1:{self.environ['ARO_API_PORT']}"

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
        "schema",
        "stores",
        "services",
        "pipeline",
        "demo account",
    ]
    is_built = (PAGE / "index.html").is_file()
    link = rf"{local.api}/#code=(aro_rt_\S+)" if is_built else "(the page) is not there.*"
    code = re.fullmatch(link, started.stdout.splitlines()[-1].strip())[1]
    if is_built:
        pair = json.loads(local.curl("/api/v1/auth/refresh", *JSON, json.dumps({"refresh_token": code})))
        assert json.loads(local.curl("/api/v1/auth/me", token=pair["access_token"]))["email"] == "demo@example.com"
    token = re.search(r"^(eyJ\S+)$", started.stdout, re.MULTILINE)[1]
    account = json.loads((local.home / "demo.json").read_text())
    assert json.loads(local.curl("/api/v1/auth/me", token=token))["email"] == account["email"]
    assert stat.S_IMODE((local.home / "demo.json").stat().st_mode) == 0o600

    status = local("start", "--status")
    assert status.returncode == 0, status.stdout
    assert status.stdout.count("RUNNING  ok") == len(TIERS)

    login = local.curl("/api/v1/auth/login", *JSON, json.dumps(account))
    token = json.loads(login)["access_token"]
    rows = json.loads(local.curl("/api/v1/chains/NIFTY?shape=rows&strikes=atm:2", token=token))["rows"]
    assert {row["option_type"] for row in rows} == {"CE", "PE"}
    assert "<title>" in local.curl("/docs")
    assert json.loads(local.curl("/openapi.json"))["openapi"].startswith("3.1")
    admin = local.admin()
    found = json.loads(local.curl("/api/v1/logs?service=auth", token=admin))
    assert found["items"], "what auth logged while it started, by way of Redis"

    before = local.pids()
    again = local("start")
    assert again.returncode == 0
    assert "already running and healthy" in again.stdout
    assert local.pids() == before

    changed = local("start", "--products", "NIFTY")
    assert changed.returncode == 0, changed.stderr
    assert {name for name, pid in local.pids().items() if before[name] != pid} == {"feed"}
    assert "feed            NIFTY, synthetic" in changed.stdout

    seeded = local("seed", "--seconds", "600", "--step", "60")
    assert seeded.returncode == 0, seeded.stderr
    ticks = re.search(r"^NIFTY +(\d+) +\d+  ", seeded.stdout, re.MULTILINE)[1]
    assert int(ticks) >= 10

    os.kill(before["supervisord"], signal.SIGKILL)
    eventually(lambda: local("start", "--status").returncode != 0, "status to tell", interval=0.5)
    assert len(local.processes()) >= len(TIERS) - 1
    stopped = local("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert re.search(r"(\d+) of them without a supervisor", stopped.stdout)
    assert local.processes() == []
    assert local("stop").stdout == "nothing was running\n"


def test_seeding_needs_a_platform(local):
    refused = local("seed")
    assert refused.returncode == 1
    assert refused.stderr == "the platform is not running: ./scripts/start-local.sh starts it\n"


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
