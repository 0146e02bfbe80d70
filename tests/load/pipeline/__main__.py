"""Contracts a second from XADD to PUBLISH, stored with j:true on the way, beside the usual design on the same servers.

Ours solves bid, mid and ask volatility and the Greeks of every contract; the peer solves nothing. Offered is how many
chains a second are fed; "all" is as many as are taken, which is the ceiling. CPU is that of every process, servers and
load included: others who use the machine disturb it less than the clock. Started by scripts/bench.sh pipeline.
"""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from contestants import Contestant, Ours, Peer, Servers
from laps import Lap, Track
from overload import overload, report
from witness import Witness

SERIES = 552
"""Chains of an exchange: about 90,000 contracts at 81 strikes."""
STRIKES = (81, 100)
RATES = (20.0, 200.0, 2_000.0, None)
PEER_RATES = (20.0, None)
UNIVERSES = (62, 185, 370, 555)
"""Chains of 81 strikes, each once a second: 10,000, 30,000, 60,000 and 90,000 contracts."""
FIRST_SEQ = 1_795_000_000_000
ENOUGH_SECONDS = 150.0
"""After so long no further round begins: a busy machine takes longer for each."""


@dataclass(frozen=True, slots=True)
class Plan:
    rounds: int
    seconds: float
    strikes: tuple[int, ...]
    rates: tuple[float | None, ...]
    universes: tuple[int, ...]
    universe_seconds: float
    sustained_seconds: float


FULL = Plan(3, 3.0, STRIKES, RATES, UNIVERSES, 5.0, 60.0)
QUICK = Plan(1, 3.0, STRIKES[:1], (200.0, None), UNIVERSES[::3], 4.0, 10.0)


@dataclass(frozen=True, slots=True)
class Cell:
    """What is run: the row it becomes."""

    name: str
    processes: int
    strikes: int
    offered: float | None
    what: str = "rate"


def race(plan: Plan, directory: Path) -> Iterator[tuple[Cell, Lap]]:
    servers = Servers(directory)
    witness = Witness(servers.redis.port)
    seqs = count(FIRST_SEQ, 10_000_000)
    started = time.monotonic()
    try:
        for turn in range(plan.rounds):
            if turn and time.monotonic() - started > ENOUGH_SECONDS:
                break
            for processes in (1, 2):
                for contestant in (Ours(servers, processes, directory), Peer(servers, processes, directory)):
                    with contestant.running():
                        yield from laps(contestant, Track(contestant, witness, next(seqs)), plan)
        ours = Ours(servers, 2, directory)
        with ours.running():
            yield from long_laps(ours, Track(ours, witness, next(seqs)), plan)
    finally:
        witness.close()
        servers.stop()


def laps(contestant: Contestant, track: Track, plan: Plan) -> Iterator[tuple[Cell, Lap]]:
    ours = isinstance(contestant, Ours)
    for strikes in plan.strikes if ours else plan.strikes[:1]:
        contestant.prepare(SERIES, strikes)
        track.warm_up(600 if ours else 20)
        for offered in plan.rates if ours else PEER_RATES:
            cell = Cell(contestant.name, contestant.processes, strikes, offered)
            yield cell, track.run(offered, plan.seconds, 2 * strikes)


def long_laps(ours: Ours, track: Track, plan: Plan) -> Iterator[tuple[Cell, Lap]]:
    def cell(offered: float | None, what: str) -> Cell:
        return Cell(ours.name, ours.processes, STRIKES[0], offered, what)

    for series in plan.universes:
        ours.prepare(series, STRIKES[0])
        track.warm_up(2 * series)
        found = track.run(float(series), plan.universe_seconds, 2 * STRIKES[0], burst=True)
        yield cell(float(series), "universe"), found
    ours.prepare(SERIES, STRIKES[0])
    yield cell(None, "sustained"), track.run(None, plan.sustained_seconds, 2 * STRIKES[0])


def row(cell: Cell, found: list[Lap]) -> dict[str, Any]:
    def middle(values: Iterator[float] | list[float]) -> float:
        return float(median(values))

    contracts = [max(1, lap.chains * lap.contracts) for lap in found]
    chains = [max(1, lap.chains) for lap in found]

    def per(unit: list[int], which: str) -> dict[str, float]:
        names = {name for lap in found for name in getattr(lap, which)}
        return {
            name: round(
                middle([getattr(lap, which).get(name, 0.0) / n * 1e6 for lap, n in zip(found, unit, strict=True)]), 3
            )
            for name in sorted(names)
        }

    cpu = per(contracts, "cpu")
    return {
        "what": cell.what,
        "pipeline": cell.name,
        "processes": cell.processes,
        "strikes": cell.strikes,
        "offered_chains_per_second": cell.offered,
        "chains_per_second": round(middle([lap.chains / lap.seconds for lap in found])),
        "contracts_per_second": round(middle([lap.contracts_per_second for lap in found])),
        "cpu_us_per_contract": round(sum(cpu.values()), 3),
        "contracts_per_cpu_second": round(1e6 / sum(cpu.values())),
        "p50_ms": round(middle([lap.percentile(0.50) for lap in found if lap.latencies_ms]), 1),
        "p99_ms": round(middle([lap.percentile(0.99) for lap in found if lap.latencies_ms]), 1),
        "cpu_us_per_contract_by_process": cpu,
        "stage_us_per_chain": {
            name: value for name, value in per(chains, "stages").items() if not name.startswith("batch ")
        },
        "chains_per_batch": round(middle([_mean_batch(lap) for lap in found]), 1),
    }


def _mean_batch(lap: Lap) -> float:
    count = lap.stages.get("batch count", 0.0)
    return lap.stages["batch sum"] / count if count else 1.0


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"{'':10}{'pipeline':18}{'proc':>5}{'strikes':>8}{'offered/s':>10}{'chains/s':>10}{'contracts/s':>13}"
        f"{'us CPU':>8}{'per CPU-s':>11}{'batch':>7}{'p50 ms':>9}{'p99 ms':>9}"
    ]
    for each in rows:
        offered = each["offered_chains_per_second"]
        lines.append(
            f"{each['what']:10}{each['pipeline']:18}{each['processes']:5}{each['strikes']:8}"
            f"{'all' if offered is None else f'{offered:.0f}':>10}{each['chains_per_second']:10,}"
            f"{each['contracts_per_second']:13,}{each['cpu_us_per_contract']:8.2f}"
            f"{each['contracts_per_cpu_second']:11,}{each['chains_per_batch']:7.1f}"
            f"{each['p50_ms']:9.1f}{each['p99_ms']:9.1f}"
        )
    return "\n".join(lines)


def details(rows: list[dict[str, Any]]) -> str:
    """Where the time of the ceilings goes."""
    lines = []
    for each in rows:
        if each["offered_chains_per_second"] is not None:
            continue
        title = f"{each['pipeline']}, {each['processes']} processes, {each['strikes']} strikes, {each['what']}"
        spent = sorted(each["cpu_us_per_contract_by_process"].items(), key=lambda item: -item[1])
        lines.append(f"{title}\n  CPU us/contract: " + ", ".join(f"{name} {value:.2f}" for name, value in spent))
        stages = {name: value for name, value in each["stage_us_per_chain"].items() if name != "wait"}
        if stages:
            lines.append("  stage us/chain:  " + ", ".join(f"{name} {value:.0f}" for name, value in stages.items()))
    return "\n".join(lines)


def verdict(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Ours over the peer at the ceiling, by processes: by the clock, and by processor time."""
    ceiling = {
        (each["pipeline"], each["processes"]): each
        for each in rows
        if each["what"] == "rate" and each["offered_chains_per_second"] is None and each["strikes"] == STRIKES[0]
    }
    found = {}
    for processes in (1, 2):
        ours, peer = ceiling[Ours.name, processes], ceiling[Peer.name, processes]
        for key in ("contracts_per_second", "contracts_per_cpu_second"):
            found[f"{key}_{processes}"] = round(ours[key] / peer[key], 1)
    return found


def measure_overload(seconds: float) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    with tempfile.TemporaryDirectory(prefix="aro-bench-") as directory:
        found = overload(Path(directory), SERIES, STRIKES[0], seconds, FIRST_SEQ)
    print(report(found, STRIKES[0]))
    return 0 if found.lost == 0 else 1


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench.sh pipeline", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every row to FILE")
    parser.add_argument("--quick", action="store_true", help="one short round, about a minute")
    parser.add_argument("--overload", type=float, metavar="SECONDS", help="only this: 3 times the capacity, so long")
    options = parser.parse_args(arguments)
    if options.overload:
        return measure_overload(options.overload)
    plan = QUICK if options.quick else FULL
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    where = (
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, "
        f"celery {version('celery')}, pymongo {version('pymongo')}, redis {version('redis')}"
    )
    print(f"{where}; {plan.rounds} rounds of {plan.seconds:g} s, medians", flush=True)
    started = time.monotonic()
    laps_of: defaultdict[Cell, list[Lap]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="aro-bench-") as directory:
        for cell, lap in race(plan, Path(directory)):
            laps_of[cell].append(lap)
            rate = f"{lap.contracts_per_second:,.0f} contracts/s"
            print(
                f"{cell.what} {cell.name} x{cell.processes} {cell.strikes} {cell.offered}: {rate}",
                file=sys.stderr,
                flush=True,
            )
    rows = [row(cell, found) for cell, found in laps_of.items()]
    print(table(rows), details(rows), sep="\n\n")
    times = verdict(rows)
    print("\nours over the peer at the ceiling: " + ", ".join(f"{name} {value}x" for name, value in times.items()))
    print(f"{time.monotonic() - started:.0f} s")
    if options.json:
        document = {"benchmark": "pipeline", "machine": where, "ours_over_peer": times, "rows": rows}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
