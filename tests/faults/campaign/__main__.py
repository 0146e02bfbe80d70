"""``python -m campaign``: the platform, a crowd, a nemesis with a seed, and the checker's report; see ``--help``."""

import argparse
import json
import resource
import signal
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from campaign import history, report
from campaign.checker import check
from campaign.facts import Report
from campaign.faults import FAULTS, Fault, missing
from campaign.finale import finish
from campaign.nemesis import Nemesis, plan
from campaign.stage import Stage

PRODUCTS = ("NIFTY", "BANKNIFTY", "FINNIFTY", "SENSEX", "SPY", "AAPL")
DRAIN_SECONDS = 60.0


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./scripts/faults.sh", description=__doc__.partition(": ")[2])
    parser.add_argument("--seed", type=int, default=1, help="of the nemesis and of the market (default 1)")
    parser.add_argument("--seconds", type=float, default=1200.0, help="how long faults are begun (default 1200)")
    parser.add_argument("--faults", type=int, metavar="N", help="end after so many, if that is sooner")
    parser.add_argument("--only", metavar="NAME,…", help="only these kinds of faults, as --list names them")
    parser.add_argument("--products", default=",".join(PRODUCTS), help="that the feed makes (default: its six)")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between snapshots (default 1)")
    parser.add_argument("--clients", type=int, default=6, help="of every channel, in six forms by turns (default 6)")
    parser.add_argument("--heal", type=float, default=30.0, metavar="S", help="until everything is right (default 30)")
    parser.add_argument(
        "--live-age", type=float, default=8.0, metavar="S", help="oldest that is called live (default 8)"
    )
    parser.add_argument("--directory", type=Path, help="for data, logs and the history (default: one under /tmp)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    parser.add_argument("--check", type=Path, metavar="HISTORY", help="only check the history of an earlier run")
    parser.add_argument("--list", action="store_true", help="name all kinds of faults, and what is missing for some")
    return parser.parse_args(arguments)


def main() -> int:
    given = options(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # then nothing is left behind
    if given.list:
        for fault in FAULTS:
            print(f"{fault.name:<22} {', '.join(filter(None, fault.targets))}  {missing(fault.need)}".rstrip())
        return 0
    if given.check is not None:
        return judge(given.check, given)
    directory = given.directory or Path(tempfile.mkdtemp(prefix="aro-faults-"))
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "history.jsonl"
    print(f"history: {path}", flush=True)
    perform(directory, path, given)
    return judge(path, given)


def perform(directory: Path, path: Path, given: argparse.Namespace) -> None:
    """The campaign itself."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    recorder = history.Recorder(path)
    chosen = faults(given.only)
    stage = Stage(
        directory / "platform",
        recorder,
        products=given.products.split(","),
        interval=given.interval,
        crowd=given.clients,
        seed=given.seed,
        disks=any(fault.need == "root" for fault in chosen),
    )
    began, started = time.time() * 1000, time.monotonic()
    with closing(recorder), closing(stage):
        stage.start()
        print(f"{given.clients} clients subscribed after {time.monotonic() - started:.1f} s", flush=True)
        nemesis = Nemesis(stage, plan(given.seed, chosen), heal_seconds=given.heal)
        nemesis.run(started + given.seconds, most=given.faults)
        print(f"{nemesis.done} faults after {time.monotonic() - started:.0f} s", flush=True)
        finish(stage, began=began, seconds=DRAIN_SECONDS)


def faults(only: str | None) -> list[Fault]:
    """Those that can be had here; a line for each that cannot."""
    wanted = only.split(",") if only else [fault.name for fault in FAULTS]
    unknown = set(wanted) - {fault.name for fault in FAULTS}
    if unknown:
        raise SystemExit(f"no such fault: {', '.join(sorted(unknown))}; --list names all")
    chosen = [fault for fault in FAULTS if fault.name in wanted]
    for fault in chosen:
        if why := missing(fault.need):
            print(f"left out: {fault.name}: {why}")
    return [fault for fault in chosen if not missing(fault.need)]


def judge(path: Path, given: argparse.Namespace) -> int:
    """Print the report; 0 if every promise was kept."""
    found = check(history.read(path), live_age_ms=given.live_age * 1000, heal_ms=given.heal * 1000)
    print(report.text(found))
    for line in report.windows(path, found):
        print(line)
    if given.json is not None:
        given.json.write_text(json.dumps(_plain(found), indent=1), encoding="utf-8")
    return 1 if found.violations else 0


def _plain(found: Report) -> dict[str, Any]:
    return {
        "faults": len(found.healings),
        "made": found.made,
        "acknowledged": found.acknowledged,
        "excused": found.excused,
        "stored": dict(found.stored),
        "told": dict(found.told),
        "oldest_live_ms": round(found.oldest_live_ms),
        "violations": [[item.what, item.text] for item in found.violations],
        "healings": [[item.name, item.target, item.lasted_ms, item.fresh_ms] for item in found.healings],
    }


if __name__ == "__main__":
    sys.exit(main())
