"""The fault table names tests and kinds of faults that exist, and leaves no kind out and no row without a reason."""

import ast
import re
import sys

from import_law import ROOT

for folder in (ROOT / "tests" / "faults", ROOT / "examples"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from campaign.faults import FAULTS  # noqa: E402

TABLE = (ROOT / "tests" / "faults" / "README.md").read_text(encoding="utf-8")
TEST = re.compile(r"`([\w/.]+\.py)::(\w+)`")
KIND = re.compile(r"(?<![\w*])\*([a-z ]+)\*(?![\w*])")


def rows() -> list[list[str]]:
    lines = [line for line in TABLE.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "fault" and set(row[0]) != {"-"}]


def functions(path: str) -> set[str]:
    file = ROOT / "tests" / path.removeprefix("tests/")
    if not file.exists():
        return set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_it_names_exists() -> None:
    named = TEST.findall(TABLE)
    assert len(named) > 50
    assert [f"{path}::{name}" for path, name in named if name not in functions(path)] == []


def test_every_kind_of_fault_is_in_it_and_no_other() -> None:
    named = {kind for row in rows() for kind in KIND.findall(row[-1])}
    assert named == {fault.name for fault in FAULTS}


def test_every_row_has_a_promise_and_a_proof_or_says_why_not() -> None:
    assert len(rows()) > 50
    for row in rows():
        text = " ".join(row[1:])
        assert len(row) == 3, row
        assert TEST.search(text) or KIND.search(row[-1]) or "no test" in text, row
