"""Speed and error of implied volatilities and Greeks, ours beside every package a Python user could pick.

All contestants get the same contracts, on one core and in one thread, in turn within every round, so that whatever
else the machine does hits all alike; the median round counts. Started by scripts/bench.sh pricing.
"""

import argparse
import gc
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import contestants
import numpy as np
from book import GREEKS, Book, make_book
from contestants import Contestant

from aro.quant import kernel

SIZES = (162, 1_000, 6_400, 100_000)
ROUNDS = 9
SLICE = 0.004
"""Seconds: shorter calls are repeated until they take this long."""
SLOW_LIMIT = 162
"""Contracts for packages that loop in Python; their speed does not depend on the number."""
VOLATILITY, BOTH = "IV", "IV + 5 Greeks"
FORMS = [kernel.compiled, None] if kernel.compiled else [None]


def enter(book: Book) -> list[Contestant]:
    slow = book.sample(SLOW_LIMIT)
    return [
        *(contestants.aro(book, form) for form in FORMS),
        contestants.iv_engine(book),
        contestants.pyvolr(book),
        contestants.fast_vollib(book),
        contestants.vollib(slow),
        contestants.py_lets_be_rational(slow),
    ]


def work(contestant: Contestant, what: str) -> Callable[[], Any] | None:
    if what == VOLATILITY:
        return contestant.volatility
    if contestant.units is contestants._none:
        return None
    return lambda: contestant.greeks(contestant.volatility())


def seconds(function: Callable[[], Any], repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - started) / repeats


def error(contestant: Contestant, what: str) -> tuple[float, str]:
    """Largest relative error of a volatility, or of a Greek relative to the largest of its kind, and whose it is."""
    iv = contestant.volatility()
    if what == VOLATILITY:
        worst, name = np.max(np.abs(iv / contestant.book.iv - 1.0)), "iv"
    else:
        exact = contestant.book.greeks
        found = contestant.units(contestant.greeks(iv))
        each = np.max(np.abs(found - exact), axis=1) / np.max(np.abs(exact), axis=1)
        worst, name = np.max(each), GREEKS[int(np.argmax(each))]
    return (float(worst) if np.isfinite(worst) else float("inf")), name


def race(book: Book, what: str) -> list[dict[str, Any]]:
    running = [(one, function) for one in enter(book) if (function := work(one, what)) is not None]
    errors = [error(one, what) for one, _ in running]
    repeats = [max(1, round(SLICE / seconds(function, 1))) for _, function in running]
    times: list[list[float]] = [[] for _ in running]
    gc.disable()
    for _ in range(ROUNDS):
        for taken, (_, function), count in zip(times, running, repeats, strict=True):
            taken.append(seconds(function, count))
    gc.enable()
    rates = [one.book.size / float(np.median(taken)) for (one, _), taken in zip(running, times, strict=True)]
    rows = [
        {
            "what": what,
            "contracts": book.size,
            "package": one.name,
            "version": one.version,
            "contracts_per_second": round(rate),
            "ours_is_faster_by": round(rates[0] / rate, 3),
            "max_relative_error": worst,
            "worst": name,
        }
        for (one, _), rate, (worst, name) in zip(running, rates, errors, strict=True)
    ]
    return sorted(rows, key=lambda row: -row["contracts_per_second"])


def table(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'package':28}{'contracts/s':>14}{'ours is':>10}{'max error':>12}"]
    lines += [
        f"{row['package'] + ' ' + row['version']:28}{row['contracts_per_second']:14,}"
        f"{row['ours_is_faster_by']:9.2f}x{row['max_relative_error']:12.1e} {row['worst']}"
        for row in rows
    ]
    return "\n".join(lines)


def pin() -> str:
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"pinned to core {core}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench.sh pricing", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="contracts per call")
    options = parser.parse_args(arguments)
    where = f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}, one thread, {pin()}"
    print(f"aro.quant: {kernel.description()}; {where}")
    rows: list[dict[str, Any]] = []
    for size in options.sizes:
        book = make_book(size)
        for what in (VOLATILITY, BOTH):
            found = race(book, what)
            rows += found
            print(f"\n{what}, {size:,} contracts per call\n{table(found)}", flush=True)
    if options.json:
        document = {"benchmark": "pricing", "kernel": kernel.description(), "machine": where, "rows": rows}
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
