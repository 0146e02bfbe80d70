"""supervisord: its configuration, starting it, and talking to it over its Unix socket."""

import configparser
import http.client
import io
import os
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from local.home import Home, write_private
from local.processes import MARK, noted
from local.programs import STORES, Program

DAEMON: Final = "supervisord"
LAUNCHER: Final = Path(__file__).with_name("launch.sh")
LOG_BYTES: Final = "10MB"
LOG_BACKUPS: Final = 3
RETRIES: Final = 1_000_000
"""Never give up: whatever a process waits for may come back."""
_RPC_SECONDS: Final = 10.0
_START_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.03
_STARTED_AFTER_SECONDS: Final = 1


class SupervisorError(Exception):
    """supervisord did not start; the text is one line for a person."""


def configuration(home: Home, programs: Iterable[Program], *, only_stores: bool = False) -> str:
    """`only_stores`: the others start when they are told to."""
    parser = configparser.RawConfigParser()
    parser["unix_http_server"] = {"file": str(home.socket), "chmod": "0700"}
    parser["supervisord"] = {
        "logfile": str(home.log("supervisord")),
        "logfile_maxbytes": LOG_BYTES,
        "logfile_backups": str(LOG_BACKUPS),
        # Not the launcher's: that one names the moment of birth as well.
        "pidfile": str(home.run / "supervisord.number"),
        "childlogdir": str(home.logs),
        "directory": str(home.run),
        "umask": "077",
    }
    parser["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    for program in programs:
        launch = ["bash", str(LAUNCHER), str(home.pid_file(program.name)), *program.command]
        parser[f"program:{program.name}"] = {
            "command": shlex.join(launch),
            "environment": ",".join(f'{key}="{value}"' for key, value in program.environ.items()),
            # supervisord's own orderly end goes from the highest number to the lowest.
            "priority": str(100 * (program.tier + 1)),
            "autostart": "false" if only_stores and program.tier != STORES else "true",
            "autorestart": "true",
            "startretries": str(RETRIES),
            "startsecs": str(_STARTED_AFTER_SECONDS),
            "stopsignal": "TERM",
            "stopwaitsecs": str(program.stop_seconds),
            # Only the last resort is for the whole group: a Celery parent ends its children itself.
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": str(home.log(program.name)),
            "stdout_logfile_maxbytes": LOG_BYTES,
            "stdout_logfile_backups": str(LOG_BACKUPS),
        }
    for section in parser.values():
        for key, value in section.items():
            section[key] = value.replace("%", "%%")  # supervisor expands %(names)s in every value
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def start(home: Home, environ: Mapping[str, str]) -> None:
    """Run supervisord in the background with `environ` on top of ours, until it answers. Raises `SupervisorError`."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    # Through the launcher too, so that it is noted like its children.
    command = ["bash", str(LAUNCHER), str(home.pid_file(DAEMON))]
    command += [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--silent", "-c", str(home.configuration)]
    log = home.log(f"{DAEMON}.start")
    home.pid_file(DAEMON).unlink(missing_ok=True)
    with log.open("wb") as sink:
        # The shell in between makes it nobody's child; job control keeps the shell from switching its signals off.
        subprocess.run(
            ["bash", "-c", 'set -m; "$@" &', "bash", *command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**inherited, **environ, MARK: str(home.path)},
            start_new_session=True,
            check=True,
        )
    supervisor = Supervisor(home)
    deadline = time.monotonic() + _START_SECONDS
    while not supervisor.is_running():
        ended = _was_born(home) and DAEMON not in {process.name for process in noted(home)}
        if ended or time.monotonic() > deadline:
            raise SupervisorError(f"supervisord does not start: {_reason(log)}")
        time.sleep(_POLL_SECONDS)


def write_configuration(
    home: Home, programs: Iterable[Program], redis_password: str, *, only_stores: bool = False
) -> None:
    write_private(home.configuration, configuration(home, programs, only_stores=only_stores))
    write_private(home.redis_configuration, f"requirepass {redis_password}\n")


class Supervisor:
    """The running supervisord of `home`. Every call raises OSError when there is none or it does not answer."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def is_running(self) -> bool:
        try:
            self._call("getState")
        except (OSError, http.client.HTTPException):
            return False
        return True

    def states(self) -> dict[str, dict[str, Any]]:
        """Program name → supervisor's process info (``statename``, ``pid``, ``start``, ``now`` …)."""
        return {info["name"]: info for info in self._call("getAllProcessInfo")}

    def start_all(self) -> None:
        """Start whatever does not run, and do not wait."""
        self._call("startAllProcesses", False)

    def stop(self, name: str) -> None:
        """Ask for the end of one process and do not wait."""
        try:
            self._call("stopProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise

    def replace(self, name: str) -> None:
        """Start `name`, which must have stopped, as the configuration file describes it now."""
        self._call("reloadConfig")
        self._call("removeProcessGroup", name)
        self._call("addProcessGroup", name)

    def shutdown(self) -> None:
        self._call("shutdown")

    def _call(self, method: str, *arguments: Any) -> Any:
        with xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(self._home.socket)) as server:
            return getattr(server.supervisor, method)(*arguments)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_RPC_SECONDS)
        self._path = path

    def connect(self) -> None:
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(self.timeout)
        try:
            connected.connect(str(self._path))
        except OSError:
            connected.close()
            raise
        self.sock = connected


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._path)
        self._connection = host, connection  # where `close` looks
        return connection


def _was_born(home: Home) -> bool:
    """Whether the launcher has noted supervisord; its file is empty for a moment."""
    try:
        return home.pid_file(DAEMON).stat().st_size > 0
    except FileNotFoundError:
        return False


def _reason(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return next(
        (line for line in lines if line.startswith("Error")), lines[-1] if lines else f"it says nothing in {log}"
    )
