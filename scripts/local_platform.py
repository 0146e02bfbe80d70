"""Start, show and stop the platform on this machine; `start-local.sh` and its siblings call this."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import health, seeding, starting, stopping, summary
from local.account import AccountError, access_token
from local.home import Home, HomeError, default_home
from local.programs import FeedOptions, programs
from local.schema import SchemaError
from local.settings import LocalSettings
from local.supervision import Supervisor, SupervisorError

from aro.adapters.embedded import ServerNotFound
from aro.contracts.problems import AroError
from aro.runtime.settings import SettingsError, load


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        settings = load(LocalSettings, environ)
        home = Home((settings.home or default_home(environ)).absolute())
        if options.command == "stop":
            return _stop(home)
        if options.command == "seed":
            return _seed(home, seconds=options.seconds, step=options.step)
        return _status(home) if options.status else _start(home, settings, options)
    except (SettingsError, HomeError, SupervisorError, ServerNotFound, FileNotFoundError) as error:
        return _fail(str(error))
    except (starting.CannotStart, seeding.SeedError, health.Unhealthy, AccountError, SchemaError) as error:
        return _fail(str(error))
    except AroError as error:
        return _fail(error.detail)
    except stopping.StillRunning as error:
        return _fail(f"these do not end: {error}")
    except KeyboardInterrupt:
        return _fail("interrupted; nothing is left running that was not running before")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local_platform.py")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", prog="start-local.sh", description="Start the whole platform on this machine.")
    feed = start.add_mutually_exclusive_group()
    feed.add_argument(
        "--replay",
        metavar="FILE",
        type=Path,
        help="feed a recording, or an NSE option chain (or a folder of them), in a loop",
    )
    feed.add_argument(
        "--synthetic", action="store_true", help="feed synthetic chains (the default, and the way back from --replay)"
    )
    start.add_argument("--products", metavar="A,B", help="feed only these products")
    start.add_argument("--clean", action="store_true", help="first wipe everything that earlier runs kept")
    start.add_argument(
        "--status", action="store_true", help="only print a table of the processes; 0 if all are healthy"
    )
    commands.add_parser("stop", prog="stop-local.sh", description="Stop everything that start-local.sh started.")
    seed = commands.add_parser("seed", prog="seed-data.sh", description="Back-fill history through the real pipeline.")
    seed.add_argument("--seconds", type=int, default=3_600, help="how far back (default: an hour)")
    seed.add_argument("--step", type=int, default=10, help="seconds between snapshots (default: 10)")
    return parser


def _start(home: Home, settings: LocalSettings, options: argparse.Namespace) -> int:
    started = starting.start(home, settings, _feed(options), clean=options.clean, progress=starting.Progress(_say))
    if started.was_running:
        _say("the platform is already running and healthy")
    _say(summary.summary(started))
    return 0


def _feed(options: argparse.Namespace) -> FeedOptions | None:
    if options.replay is None and options.products is None and not options.synthetic:
        return None
    names = (name.strip().upper() for name in (options.products or "").split(","))
    replay = options.replay.absolute() if options.replay else None
    return FeedOptions(replay, tuple(name for name in names if name))


def _status(home: Home) -> int:
    recorded = starting.recorded(home)
    if recorded is None:
        return _fail(f"no platform was ever started in {home.path}")
    reports = health.reports(home, programs(home, *recorded), home.redis_password())
    _say(summary.table(reports))
    return 0 if all(report.is_healthy for report in reports) else 1


def _stop(home: Home) -> int:
    if not home.path.is_dir():
        _say("nothing was running")
        return 0
    with home.lock():
        recorded = starting.recorded(home)
        ended = stopping.stop(home)
        busy = stopping.busy_ports(programs(home, *recorded)) if recorded and ended.total else []
    if busy:
        return _fail("\n".join(busy))
    lost = f", {ended.orphans} of them without a supervisor" if ended.orphans else ""
    _say(
        f"stopped: {ended.total} processes ended{lost}, their ports are free" if ended.total else "nothing was running"
    )
    return 0


def _seed(home: Home, *, seconds: int, step: int) -> int:
    recorded = starting.recorded(home)
    if recorded is None or not Supervisor(home).is_running():
        return _fail("the platform is not running: ./scripts/start-local.sh starts it")
    settings, feed = recorded
    progress = starting.Progress(_say)
    with progress.phase("demo account") as words:
        token = access_token(home, settings.api_port)
        words.append(f"logged in; its password is in {home.demo}")
    with progress.phase("history") as words:
        words.append(seeding.backfill(home, settings, feed, seconds=seconds, step=step))
    _say(f"\nwhat storage serves of the last {seconds} s:")
    _say(seeding.table(seeding.stored(settings, token, seconds=seconds)))
    return 0


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Nobody reads any more (`| head`); that is no reason to stop a platform half-way.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(text: str) -> int:
    print(text, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
