"""The walk through VERIFICATION.md: what is read, what is left out and why, and what counts as a proof."""

import os
import sys
import time
from pathlib import Path

import pytest
import verification
from verification import FAILED, LEFT_OUT, OK, MalformedDocument, Proof, parse, run, walk

HEAD = "| id | claim | command | expected | needs | s |\n|---|---|---|---|---|---|\n"


def proof(command, expected="", needs=(), seconds=0.0, name="T1"):
    return Proof(name, "a claim", command, expected, tuple(needs), seconds)


def outcomes(proofs, folder, *, quick=False):
    (folder / ".env.example").write_text("#ARO_API_PORT=1\n#ARO_GATEWAY_PORT=2\n")
    return [(result.outcome, result.why) for result in walk(proofs, folder, quick=quick)]


def test_rows_are_read_with_bars_and_prose_around_them():
    row = "| X1 | so it is | `echo a \\| cat` | `^a\\|b$` | node, ARO_X | 3 |"
    text = f"# A\n\n{HEAD}{row}\n\n| no | proof |\n|---|---|\n| 1 | 2 |\n"
    assert parse(text) == [Proof("X1", "so it is", "echo a | cat", "^a|b$", ("node", "ARO_X"), 3.0)]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("| X1 | c | echo | `a` | | 1 |", "backticks"),
        ("| X1 | c | `echo` | `(` | | 1 |", "X1"),
        ("| X1 | c | `echo` | `a` | | soon |", "X1"),
        ("| X1 | c | `echo` | `a` | |", "cells"),
        ("| X1 | c | `echo` | `a` | | 1 |\n| X1 | c | `echo` | `a` | | 1 |", "twice"),
    ],
)
def test_a_malformed_row_is_named(row, why):
    with pytest.raises(MalformedDocument, match=why):
        parse(f"{HEAD}{row}\n")


def test_the_document_is_sound_and_its_walk_fits_into_half_an_hour():
    proofs = parse((verification.ROOT / verification.DOCUMENT).read_text(encoding="utf-8"))
    # Building images depends on the network more than on us.
    assert sum(proof.seconds for proof in proofs if "docker" not in proof.needs) < 30 * 60
    needs = [need for proof in proofs for need in proof.needs if need.startswith(verification.PLATFORM)]
    assert needs[0] == "platform starts it"
    assert needs[-1] == "platform stops it"
    for proof in proofs:
        for word in proof.command.split():
            if word.startswith(("tests/", "./scripts/", "examples/")):
                assert (verification.ROOT / word).exists(), f"{proof.id} names {word}"


def test_exit_code_and_output_both_count(tmp_path):
    assert run(proof("echo one; echo two", "^two$"), tmp_path, os.environ).outcome == OK
    assert run(proof("echo two; exit 3", "^two$"), tmp_path, os.environ).why == "exit code 3"
    assert run(proof("echo one", "^two$"), tmp_path, os.environ).why == "prints no ^two$"


def test_what_takes_too_long_ends_with_all_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(verification, "LIMIT_LEAST_SECONDS", 0.5)
    noted = tmp_path / "pid"
    started = time.monotonic()
    result = run(proof(f"sleep 60 & echo $! >{noted}; wait"), tmp_path, os.environ)
    assert (result.outcome, time.monotonic() - started < 30) == (FAILED, True)
    stat = Path(f"/proc/{noted.read_text().strip()}/stat")
    assert not stat.exists() or stat.read_text().split()[2] == "Z"


def test_what_is_missing_is_left_out_and_named(tmp_path, monkeypatch):
    monkeypatch.delenv("ARO_NSE_CAPTURE", raising=False)
    rows = [proof("true", needs=["no-such-program"]), proof("true", needs=["ARO_NSE_CAPTURE"]), proof("true")]
    assert outcomes(rows, tmp_path) == [
        (LEFT_OUT, "there is no no-such-program"),
        (LEFT_OUT, "ARO_NSE_CAPTURE is not set"),
        (OK, ""),
    ]


def test_quick_leaves_out_what_is_long_but_starts_the_platform(tmp_path):
    rows = [proof("true", seconds=100), proof("true", needs=["platform starts it"], seconds=100), proof("true")]
    assert [outcome for outcome, _ in outcomes(rows, tmp_path, quick=True)] == [LEFT_OUT, OK, OK]


def test_without_a_platform_its_rows_are_left_out(tmp_path):
    rows = [proof("false", needs=["platform starts it"]), proof("true", needs=["platform"]), proof("true")]
    assert [outcome for outcome, _ in outcomes(rows, tmp_path)] == [FAILED, LEFT_OUT, OK]


def test_the_platform_of_the_walk_is_not_a_person_s_own(tmp_path):
    show = f"{sys.executable} -c \"import os; print(os.environ['ARO_HOME'], os.environ['ARO_API_URL'])\""
    expected = r"^/.*option-aro-verify-\S+ http://127\.0\.0\.1:\d{4,5}$"
    rows = [proof(show, expected, ["platform starts it"]), proof('test -z "${ARO_API_URL:-}"')]
    assert outcomes(rows, tmp_path) == [(OK, ""), (OK, "")]


def test_only_takes_the_platform_s_start_and_stop_along():
    rows = [
        proof("a", needs=["platform starts it"], name="A1"),
        proof("b", needs=["platform"], name="A2"),
        proof("c", needs=["platform stops it"], name="A3"),
        proof("d", name="B1"),
    ]
    assert [each.id for each in verification.chosen(rows, ["A2"])] == ["A1", "A2", "A3"]
    assert [each.id for each in verification.chosen(rows, ["B1"])] == ["B1"]
    with pytest.raises(MalformedDocument, match="Z9"):
        verification.chosen(rows, ["Z9"])
