"""Is each process of the platform healthy, and what is wrong if not."""

import http.client
import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from local.home import Home
from local.programs import LOOPBACK, Program
from local.supervision import Supervisor

POLL_SECONDS: Final = 0.06
PROBE_SECONDS: Final = 1.5
HTTP_OK: Final = 200
MAX_DEATHS: Final = 4
"""A process that died so often while we waited does not start by waiting longer."""
LOG_LINES: Final = 12


@dataclass(frozen=True, slots=True)
class Report:
    """`fault` is empty when the process is healthy."""

    program: Program
    state: str
    pid: int
    up_seconds: int
    fault: str

    @property
    def is_healthy(self) -> bool:
        return not self.fault


class Unhealthy(Exception):
    """A process did not become healthy; the text names it, says why, and ends with its last log lines."""


def probe(program: Program, password: str) -> str:
    """Ask the process itself: empty when it is ready, else what is wrong."""
    checks: Mapping[str, Callable[[], str]] = {
        "redis": lambda: _redis(program.port, password),
        "mongo": lambda: _mongo(program.port),
        "http": lambda: _http(program.port),
    }
    return checks[program.kind]()


def reports(home: Home, programs: Sequence[Program], password: str) -> list[Report]:
    """All processes at once, in the order of `programs`."""
    try:
        infos = Supervisor(home).states()
    except OSError:
        infos = {}
    with ThreadPoolExecutor(len(programs)) as pool:
        return list(pool.map(lambda program: _report(program, infos.get(program.name), password), programs))


def wait(home: Home, programs: Sequence[Program], password: str, *, seconds: float) -> None:
    """Return as soon as all `programs` are healthy. Raises `Unhealthy`."""
    deadline = time.monotonic() + seconds
    lives: dict[str, set[int]] = {program.name: set() for program in programs}
    waiting = list(programs)
    while True:
        found = reports(home, waiting, password)
        waiting = [report.program for report in found if not report.is_healthy]
        if not waiting:
            return
        for report in found:
            lives[report.program.name].add(report.pid)
            if not report.is_healthy and len(lives[report.program.name] - {0}) >= MAX_DEATHS:
                raise Unhealthy(_explain(home, report, "ends again and again"))
        if time.monotonic() > deadline:
            late = next(report for report in found if not report.is_healthy)
            raise Unhealthy(_explain(home, late, f"is not healthy after {seconds:.0f} s: {late.fault}"))
        time.sleep(POLL_SECONDS)


def last_lines(home: Home, name: str, count: int = LOG_LINES) -> list[str]:
    log = home.log(name)
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:] if log.exists() else []


def _report(program: Program, info: Mapping[str, Any] | None, password: str) -> Report:
    if info is None:
        return Report(program, "not started", 0, 0, "not started")
    state, pid = str(info["statename"]), int(info["pid"])
    up = max(0, int(info["now"]) - int(info["start"])) if pid else 0
    fault = probe(program, password) if pid else f"supervisor says {state}"
    return Report(program, state, pid, up, fault)


def _explain(home: Home, report: Report, what: str) -> str:
    name = report.program.name
    lines = last_lines(home, name)
    return "\n".join([f"{name} {what}", f"the end of {home.log(name)}:", *(f"  {line}" for line in lines)])


def _http(port: int) -> str:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return _reason(error)
    finally:
        connection.close()
    if answer.status == HTTP_OK:
        return ""
    try:
        checks: Mapping[str, str] = json.loads(body)["checks"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status}"
    return (
        ", ".join(f"{name}: {result}" for name, result in checks.items() if result != "ok") or f"HTTP {answer.status}"
    )


def _redis(port: int, password: str) -> str:
    # Imported where it is used: probing HTTP services need not wait for drivers.
    from aro.adapters import redis_client

    client = redis_client.connect(f"redis://:{password}@{LOOPBACK}:{port}/0", timeout=PROBE_SECONDS)
    try:
        client.ping()
    except redis_client.RedisError as error:
        return _reason(error)
    finally:
        client.close()
    return ""


def _mongo(port: int) -> str:
    from aro.adapters import mongo

    try:
        # The driver would wait for a server that is not there yet.
        socket.create_connection((LOOPBACK, port), timeout=PROBE_SECONDS).close()
        database = mongo.connect(
            f"mongodb://{LOOPBACK}:{port}", "admin", timeout=PROBE_SECONDS, selection_timeout=PROBE_SECONDS
        )
        try:
            mongo.ping(database)
        finally:
            database.client.close()
    except (OSError, mongo.MongoError) as error:
        return _reason(error)
    return ""


def _reason(error: Exception) -> str:
    return type(error).__name__
