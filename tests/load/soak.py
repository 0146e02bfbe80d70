"""The default feed, or all of the NSE, for some minutes: lag of the ledger, latency from feed to client, memory.

usage: python tests/load/soak.py [--minutes 10] [--warm-up 3] [--interval 1.0] [--clients 1] [--watch metrics]
       [--universe nse]

Starts its own platform on free ports of 127.0.0.1, and prints a Markdown table. One clock measures everything:
latency is the client's time of receipt minus the snapshot's `source_ts`.
"""

import argparse
import os
import platform as machine
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import requests
from listeners import Listeners

from aro.adapters.ledger import Ledger
from aro.contracts.names import LEDGER_STREAMS
from aro.testing.eventually import eventually
from aro.testing.platform import Platform

PRODUCTS = ("NIFTY", "BANKNIFTY", "FINNIFTY", "SENSEX", "SPY", "AAPL")
PRODUCTS_PER_SOCKET = 40
"""Of the NSE, with three expiries each: a socket may join 128 channels."""
SOCKETS_PER_ACCOUNT = 10
SAMPLE_SECONDS = 0.1
MEMORY_SAMPLES = 5


class LagSampler:
    """How long the ledger holds entries that nobody has acknowledged yet: per second, whether it was ever empty."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.emptied: dict[int, bool] = {}
        self.highest = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            owed = sum(self._ledger.lag(stream) + self._ledger.pending(stream) for stream in LEDGER_STREAMS)
            second = int(time.time())
            self.emptied[second] = self.emptied.get(second, False) or owed == 0
            self.highest = max(self.highest, owed)


def resident_mb(platform: Platform) -> dict[str, float]:
    """RSS of every process with its children, MB."""
    sizes = {}
    for name, process in platform.processes.items():
        parent = psutil.Process(process.pid)
        sizes[name] = sum(p.memory_info().rss for p in [parent, *parent.children(recursive=True)]) / 1e6
    return sizes


def cpu_seconds(platform: Platform) -> dict[str, float]:
    used = {}
    for name, process in platform.processes.items():
        parent = psutil.Process(process.pid)
        times = [p.cpu_times() for p in [parent, *parent.children(recursive=True)]]
        used[name] = sum(t.user + t.system for t in times)
    return used


def percentile(values: list[float], fraction: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * fraction))]


def subscriptions(options: argparse.Namespace) -> list[list[str]]:
    """Channels of each socket."""
    if options.universe == "listed":
        kinds = ("chain", "metrics") if options.watch == "chain" else (options.watch,)
        return options.clients * [[f"{kind}:{product}:*" for product in PRODUCTS for kind in kinds]]
    products = nse_products()
    starts = range(0, len(products), PRODUCTS_PER_SOCKET)
    parts = [products[start : start + PRODUCTS_PER_SOCKET] for start in starts]
    return options.clients * [[f"{options.watch}:{product}:*" for product in part] for part in parts]


def nse_products() -> tuple[str, ...]:
    """Looked at in a process of its own: products are known from its start on."""
    code = "from feed_generator.synthetic.markets import universe_names; print(*universe_names('nse'))"
    environ = {**os.environ, "ARO_UNIVERSE": "nse"}
    found = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    return tuple(found.stdout.split())


def access_token(platform: Platform, number: int) -> str:
    account = {"email": f"soak-{number}@example.com", "password": "soaking for ten minutes"}
    auth = f"{platform.url('auth')}/api/v1/auth"
    requests.post(f"{auth}/register", json=account, timeout=5).raise_for_status()
    return str(requests.post(f"{auth}/login", json=account, timeout=5).json()["access_token"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, default=3.0, help="minutes before anything is measured")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between ticks of the feed")
    parser.add_argument("--clients", type=int, default=1, help="clients of all that is watched")
    watch = "of which latencies are measured; clients of chains get metrics besides, but not those of the NSE"
    parser.add_argument("--watch", choices=("chain", "metrics"), default="chain", help=watch)
    parser.add_argument("--universe", choices=("listed", "nse"), default="listed")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of every process, repeatable")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aro-soak-") as directory:
        environ = {"ARO_UNIVERSE": options.universe, **dict(item.split("=", 1) for item in options.set)}
        feed = ["--provider", "synthetic", "--interval", str(options.interval), "--seed", "1"]
        running = Platform(Path(directory), feed_arguments=feed, environ=environ)
        try:
            running.start()
            report(running, options)
        finally:
            running.stop()


def report(platform: Platform, options: argparse.Namespace) -> None:
    ledger = Ledger(platform.redis.client())
    # A pattern stands for what is live when it is subscribed to.
    enough, prefix = 20 if options.universe == "listed" else 660, f"{options.watch}:".encode()
    client = platform.redis.client()

    def live() -> int:
        return sum(name.startswith(prefix) for name in client.smembers("live-channels"))

    eventually(lambda: live() >= enough, "all channels to be live", seconds=60)
    wanted = subscriptions(options)
    tokens = [access_token(platform, number) for number in range(-(-len(wanted) // SOCKETS_PER_ACCOUNT))]
    listeners = Listeners(platform.url("gateway"), options.watch)
    for number, channels in enumerate(wanted):
        listeners.join(tokens[number // SOCKETS_PER_ACCOUNT], channels)
    listeners.start()
    time.sleep(options.warm_up * 60)  # caches, pools and the first AOF rewrite are not what is measured
    listeners.latencies_ms.clear()
    sampler, memory, used = LagSampler(ledger), [resident_mb(platform)], cpu_seconds(platform)
    started = time.monotonic()
    sampler.start()
    for _ in range(MEMORY_SAMPLES):
        time.sleep(options.minutes * 60 / MEMORY_SAMPLES)
        memory.append(resident_mb(platform))
    sampler.stop()
    seconds = time.monotonic() - started
    spent = cpu_seconds(platform)
    listeners.close()
    print_tables(options, seconds, listeners, sampler, memory, {n: spent[n] - used[n] for n in spent})


def print_tables(
    options: argparse.Namespace,
    seconds: float,
    listeners: Listeners,
    sampler: LagSampler,
    memory: list[dict[str, float]],
    cpu: dict[str, float],
) -> None:
    latencies = listeners.latencies_ms
    whole_seconds = list(sampler.emptied.values())[1:-1]
    print(f"{os.cpu_count()} cores, {machine.python_implementation()} {machine.python_version()}, {seconds:.0f} s")
    print(f"\n| {options.watch} received | per second and client | p50 ms | p99 ms | max ms |")
    print("|---|---|---|---|---|")
    print(
        f"| {len(latencies)} | {len(latencies) / seconds / options.clients:.1f} | {percentile(latencies, 0.5):.0f} "
        f"| {percentile(latencies, 0.99):.0f} | {max(latencies):.0f} |"
    )
    print(f"\nseconds in which the ledger was empty at least once: {sum(whole_seconds)} of {len(whole_seconds)}")
    print(f"most entries owed at once: {sampler.highest}; connections lost: {listeners.lost}")
    minutes = [f"MB at {options.minutes * step / MEMORY_SAMPLES:.3g} min" for step in range(len(memory))]
    print(f"\n| process | {' | '.join(minutes)} | CPU % of a core |")
    print("|---" * (len(memory) + 2) + "|")
    for name in memory[0]:
        sizes = " | ".join(f"{sample[name]:.0f}" for sample in memory)
        print(f"| {name} | {sizes} | {100 * cpu[name] / seconds:.0f} |")


if __name__ == "__main__":
    main()
