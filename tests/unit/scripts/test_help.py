"""Every script says what it does, before it installs or changes anything, and the README of scripts/ names it."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
README = (SCRIPTS / "README.md").read_text(encoding="utf-8")
RUNNABLE = sorted(path.name for path in SCRIPTS.glob("*.sh") if os.access(path, os.X_OK))
SOURCED = {"page.sh", "python-environment.sh"}


@pytest.mark.parametrize("name", RUNNABLE)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_costs_nothing(name, option, tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ARO_VENV": str(tmp_path / "venv")}
    done = subprocess.run(
        [SCRIPTS / name, option], cwd="/", env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
    assert f"scripts/{name}" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_sourced_cannot_be_run():
    assert {path.name for path in SCRIPTS.glob("*.sh")} - set(RUNNABLE) == SOURCED


@pytest.mark.parametrize("path", sorted([*SCRIPTS.glob("*.sh"), *SCRIPTS.glob("*.py"), *SCRIPTS.glob("*.js")]))
def test_the_readme_names_every_script(path):
    assert f"`{path.name}`" in README


@pytest.mark.parametrize("name", RUNNABLE)
def test_the_readme_gives_an_example(name):
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{name}` |")]
    assert f"`./scripts/{name}" in row
