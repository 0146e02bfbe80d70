"""Run the proofs of VERIFICATION.md: its tables are the one source of claims, commands and expected output.

A proof is a row of a table whose head is ``id | claim | command | expected | needs | s``: the command in backticks, the
expected output as a regular expression in backticks (searched in what the command prints; it must also exit with 0),
what must be there to run it, and the seconds it takes. Standard library only: it runs before anything is installed.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
DOCUMENT: Final = "VERIFICATION.md"
HEAD: Final = ["id", "claim", "command", "expected", "needs", "s"]
PLATFORM: Final = "platform"
STARTS, STOPS = "starts it", "stops it"
QUICK_SECONDS: Final = 20
# A machine may be several times slower than the one that the seconds are from, and a first run downloads.
LIMIT_FACTOR, LIMIT_LEAST_SECONDS = 6, 60
_UNESCAPED_BAR: Final = re.compile(r"(?<!\\)\|")
_PORT: Final = re.compile(r"^#(ARO_\w+_PORT)=\d+$", re.MULTILINE)
_TAIL_LINES: Final = 30
# Tests wait for servers more than they compute. Whoever sets the variable decides for himself.
TWO_AT_A_TIME: Final = {"PYTEST_ADDOPTS": "--numprocesses 2 --dist loadfile"}

OK, FAILED, LEFT_OUT = "ok", "failed", "left out"


class MalformedDocument(Exception):
    """A row of proofs that cannot be read, and why."""


@dataclass(frozen=True, slots=True)
class Proof:
    id: str
    claim: str
    command: str
    expected: str
    needs: tuple[str, ...]
    seconds: float

    @property
    def limit(self) -> float:
        return LIMIT_LEAST_SECONDS + LIMIT_FACTOR * self.seconds

    @property
    def on_platform(self) -> bool:
        return any(need.split(" ")[0] == PLATFORM for need in self.needs)


@dataclass(frozen=True, slots=True)
class Result:
    id: str
    claim: str
    command: str
    seconds: float
    outcome: str
    why: str = ""


def parse(text: str) -> list[Proof]:
    """The proofs of a document, in its order.

    Raises
    ------
    MalformedDocument
        For a row without command, with a bad expression or number, or with an id that was there before.
    """
    found: dict[str, Proof] = {}
    inside = False
    for line in text.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in _UNESCAPED_BAR.split(line.strip())[1:-1]]
        if cells == HEAD:
            inside = True
        elif not cells:
            inside = False
        elif inside and not set("".join(cells)) <= set("-: "):
            proof = _proof(cells)
            if proof.id in found:
                raise MalformedDocument(f"{proof.id} stands there twice")
            found[proof.id] = proof
    return list(found.values())


def _proof(cells: Sequence[str]) -> Proof:
    if len(cells) != len(HEAD):
        raise MalformedDocument(f"{cells[0]}: {len(cells)} cells instead of {len(HEAD)}")
    name, claim, command, expected, needs, seconds = cells
    if not (command.startswith("`") and command.endswith("`") and expected.startswith("`") and expected.endswith("`")):
        raise MalformedDocument(f"{name}: command and expected output stand in backticks")
    try:
        re.compile(expected.strip("`"))
        return Proof(
            name,
            claim,
            command.strip("`"),
            expected.strip("`"),
            tuple(filter(None, (need.strip() for need in needs.split(",")))),
            float(seconds),
        )
    except (re.error, ValueError) as error:
        raise MalformedDocument(f"{name}: {error}") from error


def missing(proof: Proof, environ: Mapping[str, str]) -> str:
    """What is not here of what a proof needs; "" if nothing."""
    for need in proof.needs:
        if need.split(" ")[0] == PLATFORM:
            continue
        if need.isupper():
            if not environ.get(need):
                return f"{need} is not set"
        elif not shutil.which(need):
            return f"there is no {need}"
        elif need == "docker" and not _docker_works():
            return "Docker, or its plugin compose, does not work"
    return ""


def _docker_works() -> bool:
    asked = (["docker", "compose", "version"], ["docker", "info"])
    return not any(subprocess.run(command, capture_output=True, check=False).returncode for command in asked)


def chosen(proofs: Sequence[Proof], only: Sequence[str]) -> list[Proof]:
    """The rows named in `only`, and what starts and stops the platform that they use."""
    if not only:
        return list(proofs)
    unknown = set(only) - {proof.id for proof in proofs}
    if unknown:
        raise MalformedDocument(f"there is no {', '.join(sorted(unknown))}")
    used = any(proof.on_platform for proof in proofs if proof.id in only)
    edges = {f"{PLATFORM} {STARTS}", f"{PLATFORM} {STOPS}"}
    return [proof for proof in proofs if proof.id in only or (used and edges & set(proof.needs))]


def run(proof: Proof, folder: Path, environ: Mapping[str, str]) -> Result:
    started = time.monotonic()
    process = subprocess.Popen(
        ["bash", "-c", proof.command],
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=proof.limit)
        why = _fault(proof, process.returncode, output)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        why = f"not done after {proof.limit:.0f} s"
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGTERM)
        raise
    seconds = time.monotonic() - started
    if why:
        print("\n".join(output.splitlines()[-_TAIL_LINES:]), flush=True)
    return Result(proof.id, proof.claim, proof.command, round(seconds, 1), FAILED if why else OK, why)


def _fault(proof: Proof, code: int, output: str) -> str:
    if code:
        return f"exit code {code}"
    return "" if re.search(proof.expected, output, re.MULTILINE) else f"prints no {proof.expected}"


def walk(proofs: Sequence[Proof], folder: Path, *, quick: bool) -> Iterator[Result]:
    """Run proofs in order. Without a platform that started, those that use it are left out."""
    platform = platform_variables(folder)
    started = False
    try:
        for proof in proofs:
            environ = {**TWO_AT_A_TIME, **os.environ, **(platform if proof.on_platform else {})}
            why = _left_out(proof, environ, quick=quick, started=started)
            if why:
                result = Result(proof.id, proof.claim, proof.command, 0.0, LEFT_OUT, why)
            else:
                print(f"{proof.id:<5} {proof.command}", flush=True)
                result = run(proof, folder, environ)
            if f"{PLATFORM} {STARTS}" in proof.needs:
                started = result.outcome == OK
            yield result
    finally:
        _stop_platform(folder, platform)


def _left_out(proof: Proof, environ: Mapping[str, str], *, quick: bool, started: bool) -> str:
    if why := missing(proof, environ):
        return why
    edge = f"{PLATFORM} {STARTS}" in proof.needs
    if proof.on_platform and not edge and not started:
        return "the platform did not start"
    if quick and proof.seconds > QUICK_SECONDS and not edge:
        return "takes too long for --quick"
    return ""


def platform_variables(folder: Path) -> dict[str, str]:
    """Where the local platform of these proofs lives: a folder of its own, free ports, and what its clients need."""
    names = _PORT.findall((folder / ".env.example").read_text(encoding="utf-8"))
    found = dict(zip(names, map(str, _free_ports(len(names))), strict=True))
    api = f"http://127.0.0.1:{found['ARO_API_PORT']}"
    socket_gateway = f"http://127.0.0.1:{found['ARO_GATEWAY_PORT']}"
    home = tempfile.mkdtemp(prefix="option-aro-verify-")
    return {
        **found,
        "ARO_HOME": home,
        "ARO_API_URL": api,
        "ARO_AUTH_URL": api,
        "ARO_GATEWAY_URL": socket_gateway,
    }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _stop_platform(folder: Path, variables: Mapping[str, str]) -> None:
    """Harmless where none was started, or it was stopped already."""
    command = ["bash", "scripts/stop-local.sh"]
    subprocess.run(command, cwd=folder, env={**os.environ, **variables}, capture_output=True, check=False)
    shutil.rmtree(variables["ARO_HOME"], ignore_errors=True)


@contextmanager
def clone() -> Iterator[Path]:
    """HEAD as anybody would get it."""
    with tempfile.TemporaryDirectory(prefix="option-aro-clone-") as temporary:
        folder = Path(temporary) / "option-aro"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
        yield folder


def table(results: Sequence[Result]) -> str:
    rows = [("id", "claim", "command", "seconds", "result")]
    for result in results:
        outcome = f"{result.outcome}: {result.why}" if result.why else result.outcome
        rows.append((result.id, _cut(result.claim, 60), _cut(result.command, 60), f"{result.seconds:.1f}", outcome))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def verify(options: argparse.Namespace, folder: Path) -> int:
    proofs = chosen(parse((folder / DOCUMENT).read_text(encoding="utf-8")), options.only)
    if options.list:
        listed = [
            Result(proof.id, proof.claim, proof.command, proof.seconds, "", missing(proof, os.environ))
            for proof in proofs
        ]
        print(table(listed))
        return 0
    started = time.monotonic()
    results = []
    for result in walk(proofs, folder, quick=options.quick):
        results.append(result)
        print(f"{result.id:<5} {result.outcome} {result.why or f'{result.seconds:.1f} s'}", flush=True)
    counts = {outcome: sum(result.outcome == outcome for result in results) for outcome in (OK, FAILED, LEFT_OUT)}
    print(f"\n{table(results)}\n")
    print(
        ", ".join(f"{count} {outcome}" for outcome, count in counts.items()), f"in {time.monotonic() - started:.0f} s"
    )
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1), encoding="utf-8")
    return 1 if counts[FAILED] else 0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"leave out what takes more than {QUICK_SECONDS} seconds")
    parser.add_argument("--fresh", action="store_true", help="run in a fresh clone of HEAD")
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="only these rows")
    parser.add_argument("--list", action="store_true", help="run nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table to FILE")
    options = parser.parse_args(arguments)
    try:
        if not options.fresh:
            return verify(options, ROOT)
        with clone() as folder:
            return verify(options, folder)
    except MalformedDocument as error:
        print(f"{DOCUMENT}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
