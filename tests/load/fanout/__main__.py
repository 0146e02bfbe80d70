"""Messages per second that reach all clients of a room, beside Node's socket.io and stock Flask-SocketIO.

Servers on one core, clients and Redis on another. All servers are up with all clients connected, and one after the
other gets something to send within every round; medians over the rounds count. Every byte that a client gets is
compared. Started by scripts/bench.sh fanout.
"""

import argparse
import gc
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import contestants
from contestants import EVERYBODY, NODE, OURS, STOCK
from crowd import Broken
from race import Lap, Late, Latencies, Track

KIB = 1_024
CLIENTS = (200, 1_000, 4_000)
SIZES = (200, KIB, 16 * KIB)
ROUNDS = 3
SECONDS = 1.0
LOAD = 0.5
"""Part of what a server can deliver, at which its latencies are taken."""
ONCE_A_SECOND = 4_000
"""Clients that get one message a second each, all at the same time."""
LOAD_IS_LIMIT = 95
"""Percent of its core."""
OTHER_FILES = 256
AS_MANY, HALF, EQUAL, ONCE = "as many as possible", "half of that", "half of Node's", "1 a second each"


def race(clients: int, options: argparse.Namespace, directory: Path) -> Iterator[dict[str, Any]]:
    with contestants.running(options.only, clients, directory, options.server_core, options.redis_core) as field:
        tracks = {one.name: Track(one, [other for other in field if other is not one]) for one in field}
        # What is there now stays until the end; to walk it again and again would only be in the way.
        gc.freeze()
        for size in options.sizes:
            for one in field:
                one.resize(size)
            laps: dict[str, list[Lap]] = {name: [] for name in tracks}
            for _ in range(options.rounds):
                for name, track in tracks.items():
                    laps[name].append(track.saturate(options.seconds))
            yield from saturated(place(AS_MANY, clients, size), laps, {one.name: one.idle_kb for one in field})
            rates = {name: LOAD * median(lap.per_second for lap in found) / clients for name, found in laps.items()}
            yield from steady(place(HALF, clients, size), tracks, rates, options)
            if {OURS, NODE} <= tracks.keys():
                yield from steady(place(EQUAL, clients, size), {OURS: tracks[OURS]}, {OURS: rates[NODE]}, options)
        if clients == ONCE_A_SECOND:
            for one in field:
                one.resize(KIB)
            yield from steady(place(ONCE, clients, KIB), tracks, dict.fromkeys(tracks, 1.0), options)


def steady(
    head: dict[str, Any], tracks: dict[str, Track], rates: dict[str, float], options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Rows of latencies; `rates` are messages per second and client."""
    found: dict[str, list[Latencies]] = {name: [] for name in tracks}
    for _ in range(options.rounds):
        for name, track in tracks.items():
            found[name].append(track.steady(rates[name], options.seconds))
    for name, laps in found.items():
        yield {
            **head,
            "server": name,
            "delivered_per_second": round(rates[name] * head["clients"]),
            "p50_ms": round(median(lap.p50 for lap in laps), 2),
            "p99_ms": round(median(lap.p99 for lap in laps), 2),
            "worst_ms": round(max(lap.worst for lap in laps), 2),
            "skipped": sum(lap.skipped for lap in laps),
        }


def place(what: str, clients: int, size: int) -> dict[str, Any]:
    return {"what": what, "clients": clients, "bytes": size}


def saturated(head: dict[str, Any], laps: dict[str, list[Lap]], idle_kb: dict[str, float]) -> Iterator[dict[str, Any]]:
    ours = next(iter(laps.values()))
    for name, found in laps.items():
        ratios = [mine.per_second / other.per_second for mine, other in zip(ours, found, strict=True)]
        yield {
            **head,
            "server": name,
            "delivered_per_second": round(median(lap.per_second for lap in found)),
            "slowest_round": round(min(lap.per_second for lap in found)),
            "fastest_round": round(max(lap.per_second for lap in found)),
            "ours_is_faster_by": round(median(ratios), 3),
            "at_once": round(median(lap.at_once for lap in found), 2),
            "cpu_us": round(median(lap.cpu_us for lap in found), 2),
            "cpu_percent": round(median(lap.cpu_share for lap in found) * 100),
            "load_percent": round(median(lap.load_share for lap in found) * 100),
            "idle_kb": round(idle_kb[name], 1),
            "skipped": sum(lap.skipped for lap in found),
        }


HEADER = (
    f"{'clients':>7}{'bytes':>8}  {'':20}{'server':16}{'delivered/s':>12}{'ours is':>9}{'at once':>9}{'cpu us':>8}"
    f"{'cpu':>6}{'load':>6}{'kB idle':>9}{'p50 ms':>9}{'p99 ms':>9}{'worst':>8}{'skipped':>9}"
)


def line(row: dict[str, Any]) -> str:
    head = f"{row['clients']:7,}{row['bytes']:8,}  {row['what']:20}{row['server']:16}{row['delivered_per_second']:12,}"
    if row["what"] == AS_MANY:
        return (
            f"{head}{row['ours_is_faster_by']:8.2f}x{row['at_once']:9.1f}{row['cpu_us']:8.1f}{row['cpu_percent']:5}%"
            f"{row['load_percent']:5}%{row['idle_kb']:9.1f}{'':26}{row['skipped']:9,}"
        )
    return f"{head}{'':46}{row['p50_ms']:9.2f}{row['p99_ms']:9.2f}{row['worst_ms']:8.1f}{row['skipped']:9,}"


def goals(rows: list[dict[str, Any]]) -> Iterator[str]:
    """What was set as a goal, as far as it was measured."""
    beside = [row for row in rows if row["what"] == AS_MANY]
    for server, goal in ((NODE, 4), (STOCK, 8)):
        for row in beside:
            if (row["clients"], row["bytes"], row["server"]) == (1_000, KIB, server):
                yield f"{row['ours_is_faster_by']:.1f}x {server} with 1,000 clients and 1 KiB (goal: {goal}x)"
    if ratios := [row["ours_is_faster_by"] for row in beside if row["server"] == NODE]:
        yield f"{min(ratios):.1f}x {NODE} at least (goal: never below 1x)"
    if idle := [row["idle_kb"] for row in beside if row["server"] == OURS]:
        yield f"{max(idle):.1f} kB for an idle connection at most (goal: 40)"
    for row in rows:
        if (row["what"], row["server"]) == (ONCE, OURS):
            yield f"{row['p99_ms']:.0f} ms p99 with {row['clients']:,} clients at 1 message a second each (goal: 250)"


def allow_open_files(needed: int) -> bool:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return True


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench.sh fanout", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    parser.add_argument("--quick", action="store_true", help="1,000 clients and 1 KiB only")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, metavar="N", help="of each server")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="bytes of a message's JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help="of each run")
    parser.add_argument("--only", nargs="+", choices=EVERYBODY, default=EVERYBODY)
    options = parser.parse_args(arguments)
    if options.quick:
        options.clients, options.sizes = [1_000], [KIB]
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("bench.sh fanout: two cores are needed, one for the servers and one for the load", file=sys.stderr)
        return 2
    needed = max(options.clients) * len(options.only) + OTHER_FILES
    if not allow_open_files(needed):
        print(f"bench.sh fanout: {needed} open files are needed, see ulimit -Hn", file=sys.stderr)
        return 2
    # A third core is for Redis, which needs little, and shares the load's if there is none.
    options.server_core, options.redis_core = cores[0], cores[2] if len(cores) > 2 else cores[1]
    os.sched_setaffinity(0, {cores[1]})
    where = f"{platform.machine()}, Python {platform.python_version()}; {contestants.versions()}"
    print(f"{where}; {options.rounds} rounds of {options.seconds:g} s, medians\n{HEADER}", flush=True)
    found: list[dict[str, Any]] = []
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="aro-bench-") as directory:
            for clients in options.clients:
                for row in race(clients, options, Path(directory) / str(clients)):
                    found.append(row)
                    print(line(row), flush=True)
    except (Broken, Late) as error:
        print(f"bench.sh fanout: {error}", file=sys.stderr)
        return 1
    print(f"{time.monotonic() - began:.0f} s; every byte was what it had to be", *goals(found), sep="\n  ")
    if limited := [row for row in found if row.get("load_percent", 0) >= LOAD_IS_LIMIT]:
        print(f"in {len(limited)} of the rows the load's core was busy: their servers can do more")
    if options.json:
        document = {"benchmark": "fanout", "machine": where, "rows": found}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
