"""Which processes of this machine belong to a platform: by its mark in their environment, or by their noted birth."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.home import Home

MARK: Final = "ARO_LOCAL_PLATFORM"
"""Environment variable that every process of a local platform inherits; its value is the platform's folder."""
_PROC: Final = Path("/proc")
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """`born` tells it from a later process with the same pid; `name` is empty for children that have none of ours."""

    pid: int
    born: str
    name: str = ""


def birth(pid: int) -> str | None:
    """When `pid` was born, as ``launch.sh`` writes it; None if there is no such process, or only its zombie."""
    if _PROC.joinpath("self/stat").exists():
        try:
            fields = (
                _PROC.joinpath(str(pid), "stat")
                .read_text(encoding="utf-8", errors="replace")
                .rpartition(")")[2]
                .split()
            )
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def is_running(process: Process) -> bool:
    return birth(process.pid) == process.born


def noted(home: Home) -> list[Process]:
    """Processes that ``launch.sh`` noted and that still run."""
    found: list[Process] = []
    for file in sorted(home.run.glob("*.pid")) if home.run.is_dir() else []:
        pid, _, born = file.read_text(encoding="utf-8").strip().partition(" ")
        if pid.isdigit() and born and birth(int(pid)) == born:
            found.append(Process(int(pid), born, file.stem))
    return found


def marked(home: Home) -> list[Process]:
    """Processes of this user that carry the platform's mark (Linux; elsewhere only `noted` knows them)."""
    wanted = f"{MARK}={home.path}".encode()
    found: list[Process] = []
    for folder in _PROC.glob("[0-9]*") if _PROC.joinpath("self/environ").exists() else []:
        try:
            environment = folder.joinpath("environ").read_bytes().split(b"\0")
        except OSError:
            continue  # ended meanwhile, or another user's
        born = birth(int(folder.name))
        if wanted in environment and born is not None:
            found.append(Process(int(folder.name), born))
    return found


def of_platform(home: Home) -> list[Process]:
    """Every running process of the platform in `home`, supervisor included, each once."""
    known = {process.pid: process for process in marked(home)}
    known.update({process.pid: process for process in noted(home)})
    return list(known.values())


def end(processes: Iterable[Process], *, seconds: float) -> list[Process]:
    """SIGTERM, then SIGKILL after `seconds` to who is still there; returns who even that did not end."""
    targets = list(processes)
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        targets = [process for process in targets if is_running(process)]
        for process in targets:
            _send(process, number)
        deadline = time.monotonic() + patience
        while targets and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            targets = [process for process in targets if is_running(process)]
    return targets


def _send(process: Process, number: signal.Signals) -> None:
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return  # it was faster
