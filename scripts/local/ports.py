"""Is a port free, and if not, who has it."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_LISTEN: Final = "0A"
_COMMAND_CHARS: Final = 60


@dataclass(frozen=True, slots=True)
class Owner:
    pid: int
    command: str


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """True if a server could listen there now; connections of an earlier one that linger do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def owner(port: int) -> Owner | None:
    """Who listens on TCP `port`, where /proc tells this user."""
    inodes = {inode for name in ("tcp", "tcp6") for inode in _listeners(_PROC / "net" / name, port)}
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for folder in _PROC.glob("[0-9]*"):
        try:
            if wanted & set(_open_files(folder)):
                command = folder.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                return Owner(int(folder.name), command.strip()[:_COMMAND_CHARS])
        except OSError:
            continue  # ended meanwhile, or another user's
    return None


def taken(port: int, purpose: str, variable: str) -> str:
    """One line: what is wrong, who is in the way, and how to go around it."""
    holder = owner(port)
    who = f"by pid {holder.pid} ({holder.command})" if holder else "by another process"
    return f"port {port} for {purpose} is taken {who}; end it or set {variable}"


def _open_files(process: Path) -> Iterator[str]:
    for link in process.joinpath("fd").iterdir():
        with suppress(FileNotFoundError):  # this one was closed meanwhile; the others were not
            yield str(link.readlink())


def _listeners(table: Path, port: int) -> list[str]:
    if not table.exists():
        return []
    rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    return [row[9] for row in rows if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port]
