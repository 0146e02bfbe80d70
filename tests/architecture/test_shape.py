"""The shape of the tree: what the architecture page allows at the top, and what every service has."""

import ast
import subprocess
import tomllib

import pytest
from import_law import ROOT, SERVICES, service_packages, source_files

VISIBLE = {
    *{"services", "k8s", "observability", "scripts", "examples", "tests"},
    *{"docker-compose.yml", "README.md", "VERIFICATION.md", "STEPS.md", "LICENSE", "CODE_OF_CONDUCT.md"},
    "pyproject.toml",
}
HIDDEN = {".github", ".ci", ".env.example", ".gitignore", ".dockerignore"}
FORBIDDEN = {"utils", "util", "common", "helpers", "misc", "app_utils"}
MAX_LINES = 400
MAX_README_LINES = 80
DASHBOARD = SERVICES / "dashboard"
FOLDERS = sorted(set(service_packages().values()))


def tracked():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_top_level_has_only_the_agreed_names():
    assert {path.split("/")[0] for path in tracked()} - VISIBLE - HIDDEN == set()


def test_no_file_is_too_long():
    scripts = [*(ROOT / "scripts").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    files = [path for path in [*source_files(), *scripts] if "node_modules" not in path.parts]
    long = {str(path.relative_to(ROOT)): lines for path in files if (lines := _lines(path)) > MAX_LINES}
    assert long == {}


def test_modules_are_named_by_what_they_are():
    assert [path for path in source_files() if path.stem in FORBIDDEN or path.parent.name in FORBIDDEN] == []


def test_every_folder_under_services_is_a_service_or_for_all_of_them():
    present = {path for path in SERVICES.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert present == {*FOLDERS, DASHBOARD, SERVICES / "shared", SERVICES / "images"}


def test_the_dashboard_is_source_only_and_says_what_it_is():
    """What is built is not kept: whoever serves it has built it."""
    kept = [path.removeprefix("services/dashboard/") for path in tracked() if path.startswith("services/dashboard/")]
    assert [path for path in kept if path.split("/")[0] in {"dist", "build", "node_modules"}] == []
    assert _lines(DASHBOARD / "README.md") < MAX_README_LINES
    assert {
        path: n for path in kept if path.endswith((".ts", ".css")) and (n := _lines(DASHBOARD / path)) > MAX_LINES
    } == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_service_has_its_rooms(folder):
    package = next(name for name, place in service_packages().items() if place == folder)
    needed = ["README.md", "pyproject.toml", "requirements.in", "requirements.txt"]
    needed += [f"{package}/{name}" for name in ("__main__.py", "settings.py", "py.typed")]
    assert [name for name in needed if not (folder / name).is_file()] == []
    assert _lines(folder / "README.md") < MAX_README_LINES


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_service_depends_on_our_package_and_no_service(folder):
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [requirement.split("[")[0].split(">")[0].strip() for requirement in project["dependencies"]]
    assert "aro" in named
    assert set(named).isdisjoint(place.name for place in FOLDERS)


@pytest.mark.parametrize("path", source_files(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_module_says_what_it_is_for(path):
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def _lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())
