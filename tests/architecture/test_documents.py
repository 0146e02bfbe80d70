"""Documents say what is there: links, paths, modules and settings that they name exist, and none is left out."""

import importlib.util
import re
import subprocess

import pytest
import settings_table
from import_law import ROOT

MODULES = settings_table.modules(ROOT)
SERVICES = [module for module in MODULES if module != settings_table.LOCAL]
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PATH = re.compile(
    r"(?<![\w./$~{-])((?:scripts|tests|examples|observability|k8s|services|\.github|\.ci)/[\w./*-]*[\w*])(?![\w{])"
)
MODULE = re.compile(r"python3? -m ([a-z_]+(?:\.[a-z_]+)*)")
VARIABLE = re.compile(r"\bARO_[A-Z_]+\b")
ROUTE = re.compile(r"(?<![\w/])/[\w./{}-]*")
# A test holds it to the services' own OpenAPI documents: it asks every route and no other.
COLLECTION = ROOT / "examples" / "postman" / "option-aro.postman_collection.json"
WITH_ROUTES = ["analytics", "auth", "logging-service", "storage"]


def documents():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / name for name in sorted(set(listed)) if (ROOT / name).is_file()]


def existing():
    """Variables of settings classes, and those that scripts, examples and the tests' own start read."""
    readers = [*ROOT.glob("scripts/*.*"), *ROOT.glob("examples/*.*"), ROOT / "tests" / "conftest.py"]
    found = {name for path in readers for name in VARIABLE.findall(path.read_text(encoding="utf-8"))}
    return found | {variable.name for module in MODULES for variable in settings_table.variables(module)}


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_is_there(document):
    text = document.read_text(encoding="utf-8")
    links = {link for link in LINK.findall(text) if "://" not in link and not link.startswith("mailto:")}
    # A page of GitHub's own, relative to where GitHub shows the document.
    missing = {link for link in links if not link.startswith("../../") and not (document.parent / link).exists()}
    missing |= {path for path in PATH.findall(text) if not _exists(document, path)}
    missing |= {name for name in MODULE.findall(text) if not _importable(name)}
    known = existing()
    missing |= {name for name in VARIABLE.findall(text) if not {name, name.removesuffix("_FILE")} & known}
    assert missing == set()


def test_the_owners_name_is_assumed_only_where_contributing_says_so():
    command = ["git", "grep", "--untracked", "-lE", "[@]option-aro/|(github[.]com|ghcr[.]io)/option-aro"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    contributing = ".github/CONTRIBUTING.md"
    text = (ROOT / contributing).read_text(encoding="utf-8").partition("## Names that are assumed")[2]
    assert contributing in listed
    # An overlay is named by its folder, what is beside this page by the rest of its path.
    names = {name: name.removeprefix(".github/").removesuffix("/kustomization.yaml") for name in listed}
    assert {name for name, said in names.items() if said not in text} - {contributing} == set()


@pytest.mark.parametrize("module", SERVICES)
def test_readme_lists_every_setting_of_its_service(module):
    text = (settings_table.folder(module) / "README.md").read_text(encoding="utf-8")
    assert {variable.name for variable in settings_table.variables(module)} - set(VARIABLE.findall(text)) == set()


@pytest.mark.parametrize("service", WITH_ROUTES)
def test_routes_of_a_readme_exist(service):
    text = (ROOT / "services" / service / "README.md").read_text(encoding="utf-8")
    rows = [
        row.split("|")[1]
        for row in re.findall(r"^\|.*`(?:GET|POST|/).*$", text, re.MULTILINE)
        if "route under" not in row
    ]
    named = [_words(route.split("?")[0]) for row in rows for route in ROUTE.findall(row)]
    known = [
        _words(path) for path in re.findall(r"\{\{base_url\}\}(/[^?\"\\]*)", COLLECTION.read_text(encoding="utf-8"))
    ]
    assert len(named) > 3
    # `/straddle` in a row of analytics is short for /analytics/{p}/straddle: its words end some path.
    assert [words for words in named if not any(path[len(path) - len(words) :] == words for path in known)] == []


@pytest.mark.parametrize("path", settings_table.files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_made_from_settings_is_up_to_date(path):
    assert path.read_text(encoding="utf-8") == settings_table.files()[path]


def _exists(document, path):
    """`path` is meant from the root or from the document, and may be a pattern."""
    return any(next(start.glob(path), None) for start in (ROOT, document.parent))


def _words(path):
    """The fixed parts of a path."""
    return [word for word in path.strip("/").split("/") if word and "{" not in word]


def _importable(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
