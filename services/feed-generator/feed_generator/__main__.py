"""``python -m feed_generator --provider synthetic|replay …``; options win over ``ARO_FEED_*`` variables.

``python -m feed_generator record --out FILE`` records what a feed publishes, ``python -m feed_generator replay`` plays
the sessions that users order.
"""

import argparse
import os
import signal
import sys
import threading

from aro.adapters.clock import SystemClock
from aro.contracts.problems import AroError
from aro.contracts.universe import UNIVERSES
from aro.runtime.logs import configure_logs
from aro.runtime.settings import SettingsError, load
from feed_generator.backfill import backfill
from feed_generator.provider import FeedError
from feed_generator.recording.command import RECORD, record
from feed_generator.service import run
from feed_generator.sessions.command import REPLAY, play
from feed_generator.settings import HOURS, PROVIDERS, SCENARIOS, FeedSettings


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python -m feed_generator", argument_default=argparse.SUPPRESS)
    result.add_argument("--provider", choices=PROVIDERS)
    result.add_argument("--products", metavar="NIFTY,SPY", help="separated by commas")
    result.add_argument("--universe", choices=UNIVERSES, help="nse: 220 underlyings with some 90,000 contracts")
    result.add_argument("--interval", metavar="SECONDS", help="between ticks")
    result.add_argument("--seed", metavar="N", help="of the synthetic market; same seed, same market")
    result.add_argument("--scenario", choices=SCENARIOS)
    result.add_argument("--hours", choices=HOURS, help="trade around the clock, or in exchange hours")
    what = "recording, NSE option-chain JSON (.json, .json.gz), or a folder of them"
    result.add_argument("--file", metavar="PATH", help=what)
    result.add_argument("--replay", metavar="PATH", help="short for --provider replay --file PATH")
    result.add_argument("--speed", metavar="X", help="replay X times as fast as it was taken")
    result.add_argument("--from", metavar="TIME", help="replay from there, as 2026-11-22T09:15:00Z")
    result.add_argument("--loop", action="store_const", const="true", help="replay: start over at the end")
    result.add_argument("--backfill", metavar="SECONDS", help="fill the past in steps of --interval, then end")
    result.add_argument("--truth", metavar="PATH", help="append the truth behind each synthetic chain, JSON lines")
    return result


def variable(option: str) -> str:
    """The setting that an option overrides."""
    return "ARO_UNIVERSE" if option == "universe" else f"ARO_FEED_{option.upper()}"


def _options() -> dict[str, str]:
    """Variables that the command line sets."""
    given = vars(parser().parse_args())
    if "replay" in given:
        given |= {"provider": "replay", "file": given.pop("replay")}
    return {variable(name): value for name, value in given.items()}


def main() -> int:
    command = sys.argv[1] if sys.argv[1:] and sys.argv[1] in (RECORD, REPLAY) else None
    options = {} if command else _options()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        if command == REPLAY:
            play(os.environ, stop)
            return 0
        if command == RECORD:
            summary = record(sys.argv[2:], os.environ, stop)
            print(f"{summary.messages} messages recorded in {summary.written_bytes} bytes, {summary.missed} missed")
            return 1 if summary.missed else 0
        settings = load(FeedSettings, {**os.environ, **options})
        ship_to = settings.redis_url if settings.log_shipping else None
        configure_logs("feed-generator", level=settings.log_level, ship_to=ship_to)
        if settings.backfill:
            print(f"{backfill(settings, SystemClock())} messages back-filled")
        else:
            run(settings, stop)
    except (SettingsError, FeedError, OSError) as error:
        print(f"feed-generator cannot start: {error}", file=sys.stderr)
        return 2
    except AroError as error:
        print(f"feed-generator cannot start: {error.detail}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
