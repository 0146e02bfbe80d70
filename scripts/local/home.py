"""The private folder of one local platform: data, keys, secrets, logs, and who runs from it."""

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600
_MAX_SOCKET_PATH: Final = 100
"""Unix socket addresses end at 104 (BSD) or 108 bytes (Linux), and supervisor adds a suffix while it starts."""
_OURS: Final = ("data", "keys", "logs", "run", "secrets.json", "demo.json", "platform.json")


class HomeError(Exception):
    """The folder cannot serve; the text is one line for a person."""


def default_home(environ: Mapping[str, str]) -> Path:
    state = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".local" / "state")
    return Path(state) / "option-aro"


@dataclass(frozen=True, slots=True)
class Home:
    path: Path

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def recordings(self) -> Path:
        """What replay sessions may play. A person puts them here, so `wipe` leaves them."""
        return self.path / "recordings"

    @property
    def socket(self) -> Path:
        return self.run / "supervisor.sock"

    @property
    def configuration(self) -> Path:
        return self.run / "supervisord.conf"

    @property
    def redis_configuration(self) -> Path:
        return self.run / "redis.conf"

    @property
    def temporary(self) -> Path:
        return self.run / "tmp"

    @property
    def demo(self) -> Path:
        return self.path / "demo.json"

    def data(self, name: str) -> Path:
        return self.path / "data" / name

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        return self.run / f"{name}.pid"

    def prepare(self) -> None:
        """Create what is missing, readable by nobody else. Raises `HomeError`."""
        if len(os.fsencode(self.socket)) > _MAX_SOCKET_PATH:
            raise HomeError(f"ARO_HOME is too long a path for the control socket in it: {self.path}")
        if "%" in str(self.path):
            raise HomeError(f"ARO_HOME may not hold a %, which means something to supervisor: {self.path}")
        try:
            self.path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            data = self.path / "data"
            for folder in (self.run, self.logs, self.keys, self.recordings, data, data / "redis", data / "mongo"):
                folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
            self.path.chmod(_PRIVATE_FOLDER)
        except OSError as error:
            raise HomeError(f"cannot use {self.path}: {error.strerror}; set ARO_HOME to a folder of yours") from None

    def empty_temporary(self) -> None:
        """A fresh folder for the temporary files of all processes; what killed ones left there is gone."""
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(mode=_PRIVATE_FOLDER)

    def wipe(self) -> None:
        """Delete everything that the platform put here, and nothing else."""
        for name in _OURS:
            target = self.path / name
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
        with suppress(OSError):  # not there, or a person's recordings are in it
            self.recordings.rmdir()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One script at a time; a second one waits for the first."""
        self.path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def redis_password(self) -> str:
        """Generated at first use."""
        file = self.path / "secrets.json"
        if not file.exists():
            write_private(file, json.dumps({"redis_password": secrets.token_urlsafe(32)}))
        password: str = json.loads(file.read_text(encoding="utf-8"))["redis_password"]
        return password

    def read_state(self) -> dict[str, Any] | None:
        """What `write_state` kept of the last start; None before the first one."""
        file = self.path / "platform.json"
        if not file.exists():
            return None
        state: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return state

    def write_state(self, state: Mapping[str, Any]) -> None:
        write_private(self.path / "platform.json", json.dumps(state, indent=1))


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step; nobody else can read it at any moment."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
