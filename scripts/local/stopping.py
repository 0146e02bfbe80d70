"""The orderly end of a platform, whatever state it is in: nothing of it is left afterwards."""

import http.client
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from local import ports
from local.home import Home
from local.processes import Process, end, is_running, noted, of_platform
from local.programs import TIERS, Program, stop_seconds
from local.supervision import DAEMON, Supervisor

_POLL_SECONDS: Final = 0.05
_ENDED: Final = frozenset({"STOPPED", "EXITED", "FATAL", "UNKNOWN"})
ORPHAN_SECONDS: Final = 20.0
_SLACK_SECONDS: Final = 5.0
_ROUNDS: Final = 3


class StillRunning(Exception):
    """Processes that even SIGKILL did not end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How many processes ended by supervisor's hand, and how many it had lost."""

    supervised: int
    orphans: int

    @property
    def total(self) -> int:
        return self.supervised + self.orphans


def stop(home: Home) -> Ended:
    """End everything that belongs to `home`, tier by tier from the last. Raises `StillRunning`."""
    supervisor = Supervisor(home)
    supervised = 0
    if supervisor.is_running():
        try:
            supervised = _stop_supervised(supervisor)
            supervisor.shutdown()
        except (OSError, http.client.HTTPException):
            supervised = 0  # it was killed meanwhile: what it left is ended below
        daemon = [process for process in noted(home) if process.name == DAEMON]
        _until(lambda: not any(is_running(process) for process in daemon), ORPHAN_SECONDS)
    orphans = _end_orphans(home)
    for file in home.run.glob("*.pid") if home.run.is_dir() else []:
        file.unlink()
    home.socket.unlink(missing_ok=True)
    return Ended(supervised, orphans)


def busy_ports(programs: Sequence[Program]) -> list[str]:
    """Ports of the platform that somebody has, one line each."""
    return [
        ports.taken(port, item.name, variable)
        for item in programs
        for variable, port in item.ports.items()
        if not ports.is_free(port)
    ]


def stop_one(supervisor: Supervisor, name: str) -> None:
    """Stop one process by supervisor and return when it has ended."""
    supervisor.stop(name)
    if not _until(partial(_have_ended, supervisor, [name]), stop_seconds(name) + _SLACK_SECONDS):
        raise StillRunning(name)


def _stop_supervised(supervisor: Supervisor) -> int:
    states = supervisor.states()
    for tier in sorted({TIERS[name] for name in states}, reverse=True):
        names = [name for name in states if TIERS[name] == tier]
        for name in names:
            supervisor.stop(name)
        patience = max(stop_seconds(name) for name in names) + _SLACK_SECONDS
        _until(partial(_have_ended, supervisor, names), patience)
    return sum(info["pid"] != 0 for info in states.values())


def _have_ended(supervisor: Supervisor, names: Sequence[str]) -> bool:
    states = supervisor.states()
    return all(states[name]["statename"] in _ENDED for name in names)


def _end_orphans(home: Home) -> int:
    """End what no supervisor holds any more; how many there were. Raises `StillRunning`."""
    ended: set[Process] = set()
    # Again until a look finds nobody: a process may have been born while others ended.
    for _ in range(_ROUNDS):
        found = of_platform(home)
        if not found:
            return len(ended)
        ended.update(found)
        # Supervisor first, or it would start again what is ended; then the tiers; then children without a name.
        order = {DAEMON: 1_000, **TIERS}
        for rank in sorted({order.get(process.name, -1) for process in found}, reverse=True):
            end([process for process in found if order.get(process.name, -1) == rank], seconds=ORPHAN_SECONDS)
    left = of_platform(home)
    if left:
        raise StillRunning(", ".join(f"pid {process.pid}" for process in left))
    return len(ended)


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
