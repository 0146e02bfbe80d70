"""Requests per second of the latest chain, beside the endpoint that anybody would write with FastAPI and uvicorn.

Server on one core, load and Redis on another, all contestants in turn within every round; medians over the rounds
count. The chain changes once a second, except while 304s are counted. Then the gateway's latencies at a steady rate
beside the whole platform. Started by scripts/bench.sh api.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import beside_feed
import contestants
import market
from contestants import Contestant
from wrk import Run, wrk

from aro.testing.issuer import Issuer
from aro.testing.servers import RedisServer

CONNECTIONS = 32
ROUNDS = 5
SECONDS = 3.0
WARM_SECONDS = 1.0
PLAIN, GZIP, UNCHANGED = "200, as published", "200, gzip", "304"
ASKED = {PLAIN: {"Accept-Encoding": "identity"}, GZIP: {"Accept-Encoding": "gzip"}, UNCHANGED: {}}


@dataclass(frozen=True, slots=True)
class Lap:
    """A run, and the microseconds of processor time that the server took for a request: others who use the machine
    disturb that less."""

    run: Run
    cpu_us: float


def measure(contestant: Contestant, what: str, moved: market.Market, token: str, options: argparse.Namespace) -> Lap:
    target = f"/api/v1/chains/{market.PRODUCT}?expiry={moved.expiry}"
    headers = {"Authorization": f"Bearer {token}", **ASKED[what]}
    with contestant.running(target, token):
        if what == UNCHANGED:
            epoch, seq = moved.publish()
            headers["If-None-Match"] = f'"{epoch}-{seq}"'

        def run(seconds: float) -> Run:
            return wrk(
                f"{contestant.url}{target}",
                headers,
                core=options.load_core,
                connections=options.connections,
                seconds=seconds,
            )

        run(WARM_SECONDS)
        with nullcontext() if what == UNCHANGED else moved.moving():
            before = contestant.cpu_seconds()
            found = run(options.seconds)
            spent = contestant.cpu_seconds() - before
    return Lap(found, spent / (found.per_second * options.seconds) * 1e6)


def race(options: argparse.Namespace, directory: Path) -> Iterator[dict[str, Any]]:
    with servers(directory) as (redis_url, issuer):
        moved, token = market.Market(redis_url), issuer.token()
        moved.publish()
        print(f"{moved.strikes} strikes, {moved.bytes:,} bytes; {options.connections} connections", flush=True)
        core, python = options.server_core, options.peer_python

        def entered(what: str) -> list[Contestant]:
            ours = contestants.gateway(redis_url, issuer, directory, core)
            compresses = what == GZIP
            return [ours] + [
                contestants.peer(python, redis_url, issuer, directory, core, remembers=remembers, compresses=compresses)
                for remembers in (False, True)
            ]

        for what in options.only or ASKED:
            running = entered(what)
            laps: dict[str, list[Lap]] = {one.name: [] for one in running}
            for _ in range(options.rounds):
                for one in running:
                    laps[one.name].append(measure(one, what, moved, token, options))
            yield from rows(what, laps)


def rows(what: str, laps: dict[str, list[Lap]]) -> Iterator[dict[str, Any]]:
    medians = {name: median(lap.run.per_second for lap in found) for name, found in laps.items()}
    ours = next(iter(medians.values()))
    for name, found in laps.items():
        yield {
            "what": what,
            "server": name,
            "requests_per_second": round(medians[name]),
            "slowest_round": round(min(lap.run.per_second for lap in found)),
            "fastest_round": round(max(lap.run.per_second for lap in found)),
            "ours_is_faster_by": round(ours / medians[name], 3),
            "cpu_us": round(median(lap.cpu_us for lap in found), 1),
            "p50_ms": round(median(lap.run.p50 for lap in found), 2),
            "p99_ms": round(median(lap.run.p99 for lap in found), 2),
        }


def table(found: list[dict[str, Any]]) -> str:
    lines = [f"{'':20}{'server':36}{'requests/s':>11}{'ours is':>9}{'cpu us':>9}{'p50 ms':>9}{'p99 ms':>9}"]
    lines += [
        f"{row['what']:20}{row['server']:36}{row['requests_per_second']:11,}{row['ours_is_faster_by']:8.2f}x"
        f"{row['cpu_us']:9.1f}{row['p50_ms']:9.2f}{row['p99_ms']:9.2f}"
        for row in found
    ]
    return "\n".join(lines)


@contextmanager
def servers(directory: Path) -> Iterator[tuple[str, Issuer]]:
    redis, issuer = RedisServer(directory / "redis"), Issuer()
    redis.start()
    issuer.start()
    try:
        yield redis.url, issuer
    finally:
        issuer.stop()
        redis.kill()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench.sh api", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--peer-python", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help="of each run")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, metavar="N")
    parser.add_argument("--no-feed", action="store_true", help="leave out the steady rate beside the platform")
    parser.add_argument("--only", nargs="+", choices=list(ASKED))
    options = parser.parse_args(arguments)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("bench.sh api: two cores are needed, one for the server and one for the load", file=sys.stderr)
        return 2
    options.server_core, options.load_core = cores[-1], cores[0]
    where = f"{platform.machine()}, Python {platform.python_version()}, gunicorn {version('gunicorn')}"
    print(f"{where}; {options.rounds} rounds of {options.seconds:g} s, medians")
    with tempfile.TemporaryDirectory(prefix="aro-bench-") as directory:
        os.sched_setaffinity(0, {options.load_core})
        found = list(race(options, Path(directory)))
        print(table(found), flush=True)
    os.sched_setaffinity(0, cores)
    if not options.no_feed:
        with tempfile.TemporaryDirectory(prefix="aro-bench-") as directory:
            found.append(beside_feed.run(Path(directory)))
        print(beside_feed.line(found[-1]))
    if options.json:
        document = {"benchmark": "api", "machine": where, "connections": options.connections, "rows": found}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
