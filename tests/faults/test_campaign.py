"""Two minutes of the fault campaign, with a fixed seed: the whole platform under load, and every promise kept."""

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.fault

ROOT = Path(__file__).resolve().parents[2]
SEED = 3404
"""Its first eight faults: Redis loses its file, MongoDB is killed, a slow network, lost tasks, foreign keys, a pool's
child killed between MongoDB and publish, clients cut off, FLUSHALL."""
SECONDS = 90
"""Of faults and of the platform's start. The last fault heals, and everything comes to rest, after that."""


def test_two_seeded_minutes_break_no_promise(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    # On a busy machine everything takes longer, and nothing may be wrong for it.
    patience = ["--heal", "60", "--live-age", "30"]
    load = ["--products", "NIFTY,BANKNIFTY", "--interval", "0.5", "--clients", "4"]
    command = [str(ROOT / "scripts" / "faults.sh"), "--seed", str(SEED), "--seconds", str(SECONDS), *load, *patience]
    command += ["--directory", str(tmp_path), "--json", str(report)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=220, check=False)
    assert ran.returncode == 0, ran.stdout[-8000:]
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["violations"] == []
    assert found["faults"] >= 3, ran.stdout
    assert found["acknowledged"] > 200, "there was no load"
    assert found["told"]["update"] + found["told"]["delta"] > 1_000
