"""wrk as a function."""

import re
import subprocess
from dataclasses import dataclass

_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True, slots=True)
class Run:
    """Latencies in milliseconds."""

    per_second: float
    p50: float
    p99: float


def wrk(url: str, headers: dict[str, str], *, core: int, connections: int, seconds: float) -> Run:
    """Requests as fast as `connections` clients can make them. Raises RuntimeError if any answer is an error."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    text = subprocess.run([*command, url], check=True, capture_output=True, text=True, timeout=seconds + 30).stdout
    failed = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)|Non-2xx or 3xx responses", text)
    if failed:
        raise RuntimeError(f"not every request was answered:\n{text}")
    return Run(_number(r"Requests/sec:\s+([\d.]+)", text), _percentile(50, text), _percentile(99, text))


def _percentile(percent: int, text: str) -> float:
    match = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s|m)\b", text)
    assert match is not None, text
    return float(match[1]) * _UNITS[match[2]]


def _number(pattern: str, text: str) -> float:
    match = re.search(pattern, text)
    assert match is not None, text
    return float(match[1])
