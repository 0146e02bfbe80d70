"""The workflows keep what makes them safe and complete, whatever is added to them."""

import re
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
WRITES = {("images", "publish")}
"""Jobs that may write anywhere; they run for tags only."""


def folders_with(name):
    """Those with a lock of that name, but for what benchmarks compare with: that stays as it was measured."""
    listed = subprocess.run(["git", "ls-files", f"*{name}"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {str(Path(path).parent) for path in listed.stdout.split() if not path.startswith("tests/load/")}


def read(path: Any) -> dict[Any, Any]:
    document: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def jobs() -> Any:
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            yield pytest.param(path.stem, name, job, id=f"{path.stem}-{name}")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_say_which_version_that_is(path):
    used = re.findall(r"uses: (.+)", path.read_text(encoding="utf-8"))
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_one_version_of_each_action():
    used = {line for path in WORKFLOWS for line in re.findall(r"uses: (.+)", path.read_text(encoding="utf-8"))}
    assert len(used) == len({line.partition("@")[0] for line in used})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_and_is_not_run_twice_for_one_commit(path):
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"].startswith(f"{path.stem}-")
    # YAML 1.1 reads the key `on` as true. This one would run with our secrets on a stranger's code.
    assert "pull_request_target" not in workflow[True]


@pytest.mark.parametrize(("workflow", "name", "job"), list(jobs()))
def test_a_job_ends_and_leaves_no_credentials(workflow, name, job):
    assert job["timeout-minutes"] <= 45
    assert ("permissions" in job) == ((workflow, name) in WRITES)
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        assert "${{" not in step.get("run", ""), "values reach a shell through env only"


@pytest.mark.parametrize(("workflow", "name"), sorted(WRITES))
def test_what_writes_runs_for_tags_only(workflow, name):
    job = read(ROOT / ".github" / "workflows" / f"{workflow}.yml")["jobs"][name]
    assert "startsWith(github.ref, 'refs/tags/v')" in job["if"]


@pytest.mark.parametrize("name", ["build", "publish"])
def test_every_service_with_a_dockerfile_is_an_image(name):
    job = read(ROOT / ".github" / "workflows" / "images.yml")["jobs"][name]
    assert job["strategy"]["matrix"]["service"] == sorted(
        path.parent.name for path in ROOT.glob("services/*/Dockerfile")
    )


def test_every_script_that_a_workflow_calls_is_there():
    called = {
        name for path in WORKFLOWS for name in re.findall(r"\./(scripts/[\w.-]+)", path.read_text(encoding="utf-8"))
    }
    assert called
    assert [name for name in called if not (ROOT / name).is_file()] == []


def test_every_path_that_starts_a_workflow_is_there():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    patterns = {
        (path.stem, pattern)
        for path in WORKFLOWS
        for event in (read(path)[True].get(name) or {} for name in ("push", "pull_request"))
        for pattern in event.get("paths", [])
    }
    assert patterns
    unused = {pattern for pattern in patterns if not any(fnmatchcase(name, pattern[1]) for name in listed)}
    assert unused == set()


def test_dependabot_watches_every_lock():
    updates = {entry["package-ecosystem"]: entry for entry in read(ROOT / ".github" / "dependabot.yml")["updates"]}
    for ecosystem, name in (("pip", "requirements.txt"), ("npm", "package-lock.json")):
        assert set(updates[ecosystem]["directories"]) == {f"/{folder}" for folder in folders_with(name)}
    assert all(entry["cooldown"]["default-days"] >= 7 for entry in updates.values())
