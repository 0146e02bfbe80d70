"""The log collector's configuration fits the lines that our processes write."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from expressions import ROOT

TEXT = (ROOT / "observability" / "collector" / "fluent-bit.yaml").read_text(encoding="utf-8")
CONFIG: dict[str, Any] = yaml.safe_load(TEXT)
PIPELINE = CONFIG["pipeline"]
(LOKI,) = PIPELINE["outputs"]
COPIES = dict(stage["copy"].split() for stage in PIPELINE["filters"] if stage["name"] == "modify")
"""What is copied, and to where."""
WRITE = """
from aro.runtime.logs import configure_logs, get_logger
configure_logs("auth")
get_logger("here").info("request", duration_ms=1.5)
"""


@pytest.fixture(scope="module")
def line() -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", WRITE], capture_output=True, text=True, check=True, timeout=60)
    fields: dict[str, Any] = json.loads(done.stdout)
    return fields


def stages(name: str) -> list[dict[str, Any]]:
    return [stage for stage in PIPELINE["filters"] if stage["name"] == name]


def test_a_line_is_read_with_its_own_time(line: dict[str, Any]) -> None:
    (stage,) = stages("parser")
    (parser,) = [parser for parser in CONFIG["parsers"] if parser["name"] == stage["parser"]]
    assert parser["format"] == "json"
    # %L is Fluent Bit's word for fractions of a second; it takes times without an offset as UTC.
    stamp = datetime.strptime(line[parser["time_key"]], parser["time_format"].replace("%L", "%f")).replace(tzinfo=UTC)
    assert stamp == datetime.fromisoformat(line["@timestamp"])


def test_what_is_looked_at_is_in_every_line(line: dict[str, Any]) -> None:
    assert set(COPIES) <= line.keys()
    # A copy would not replace what a line has under that name.
    assert not set(COPIES.values()) & line.keys()


def test_only_names_without_dots_are_looked_at(line: dict[str, Any]) -> None:
    (grep,) = stages("grep")
    field, pattern = grep["regex"].split()
    labels = [key.removeprefix("$") for key in LOKI["label_keys"].split(",")]
    assert {field, *labels} == set(COPIES.values())
    assert all(re.fullmatch(r"[a-z_]+", name) for name in (field, *labels))
    copied = {copy: line[source] for source, copy in COPIES.items()}
    assert re.search(pattern, copied[field])
    assert copied == {"service": "auth", "level": "info"}


def test_copies_are_made_before_they_are_looked_at() -> None:
    names = [stage["name"] for stage in PIPELINE["filters"]]
    assert names == ["parser", *["modify"] * len(COPIES), "grep"]
    assert [stage["name"] for stage in PIPELINE["inputs"]] == ["tail"]


def test_places_are_the_operators_to_name() -> None:
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == {"LOG_PATH", "LOKI_HOST", "LOKI_PORT"}
    # Of one namespace on Kubernetes: containers are named POD_NAMESPACE_CONTAINER there.
    namespace = yaml.safe_load((ROOT / "k8s" / "base" / "kustomization.yaml").read_text(encoding="utf-8"))["namespace"]
    assert f"_{namespace}_" in TEXT
