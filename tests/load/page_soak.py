"""The dashboard open on the ladder for some minutes: memory, long tasks, frames while it scrolls, errors.

usage: python tests/load/page_soak.py [--minutes 10] [--interval 0.5] [--json FILE]

Needs Chromium or Chrome, and a built page (scripts/build-page.sh). Starts its own platform on free ports of 127.0.0.1,
opens the ladder of NIFTY (81 strikes, twice a second; what changes is lit), scrolls it up and down all the time, and
prints a Markdown table. The first three minutes, until which the browser compiles what runs often, are left out. Memory
is the heap of scripts after a garbage collection, every 15 s.
"""

import argparse
import json
import os
import platform as machine
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import requests

from aro.testing.browser import Browser, program
from aro.testing.dashboard import Dashboard
from aro.testing.platform import Platform

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "services" / "dashboard" / "dist"
ACCOUNT: Final = {"email": "soak@example.com", "password": "a password for the soak"}
WARM_UP_SECONDS: Final = 180
SAMPLE_SECONDS: Final = 15
FRAME_MS: Final = 1000 / 60
LATE_MS: Final = 1.5 * FRAME_MS
"""A frame that came later left one out."""
WATCH: Final = """
  window.soak = { frames: [], tasks: [], updates: 0 };
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) soak.tasks.push([startTime, duration]);
  }).observe({ type: "longtask" });
  window.startSoak = () => {
    const scroll = document.querySelector(".scroll");
    let before = performance.now(), by = 4;
    const turn = (now) => {
      soak.frames.push(now - before);
      before = now;
      const top = scroll.scrollTop;
      scroll.scrollTop += by;
      if (scroll.scrollTop === top) by = -by;
      requestAnimationFrame(turn);
    };
    requestAnimationFrame(turn);
    new MutationObserver(() => { soak.updates += 1; })
      .observe(document.querySelector("main#view"), { attributes: true, attributeFilter: ["data-seq"] });
  };
  window.takeSoak = () => { const taken = soak; soak = { frames: [], tasks: [], updates: 0 }; return taken; };
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--interval", default="0.5", help="seconds between chains")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    path = program()
    if path is None or not (PAGE / "index.html").exists():
        print("page_soak.py needs Chromium or Chrome on PATH, and scripts/build-page.sh to have run", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="aro-page-soak-") as folder:
        feed = ["--products", "NIFTY", "--interval", arguments.interval, "--seed", "7"]
        platform = Platform(Path(folder), feed_arguments=feed, page=PAGE)
        try:
            platform.start()
            # What tells about the network would count every frame of the socket, and keep it.
            with Browser(path, Path(folder), domains=("Page", "Runtime", "Log")) as browser:
                figures = soak(browser, platform, arguments.minutes)
        finally:
            platform.stop()
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


def soak(browser: Browser, platform: Platform, minutes: float) -> dict[str, Any]:
    url = platform.url("api")
    requests.post(f"{url}/api/v1/auth/register", json=ACCOUNT, timeout=10).raise_for_status()
    browser.look(1280, 800, still=False)
    browser.before_each_page(WATCH)
    page = Dashboard(browser, url)
    page.open("/chain/NIFTY")
    page.log_in(ACCOUNT)
    page.wait_live("chain")
    browser.evaluate("startSoak()")
    time.sleep(WARM_UP_SECONDS)
    browser.evaluate("takeSoak() && 0")
    heaps, frames, tasks, updates = [heap(browser)], [], [], 0
    until = time.monotonic() + minutes * 60
    while time.monotonic() < until:
        time.sleep(SAMPLE_SECONDS)
        # Before the heap is measured: to collect it stops the page, which is not the page's doing.
        taken = browser.evaluate("takeSoak()")
        frames += taken["frames"]
        tasks += [duration for _, duration in taken["tasks"]]
        updates += taken["updates"]
        heaps.append(heap(browser))
        browser.evaluate("takeSoak() && 0")
    cells = browser.evaluate("document.querySelectorAll('tr[data-strike] td').length")
    return {
        "minutes": minutes,
        "cells": cells,
        "updates": updates,
        "heap_start_mb": heaps[0],
        "heap_end_mb": heaps[-1],
        "heap_low_mb": min(heaps),
        "heap_high_mb": max(heaps),
        "frames": len(frames),
        "frame_p50_ms": statistics.median(frames),
        "frame_p99_ms": statistics.quantiles(frames, n=100)[98],
        "frame_max_ms": max(frames),
        "late_share": sum(frame > LATE_MS for frame in frames) / len(frames),
        "frames_per_second": len(frames) / (sum(frames) / 1000),
        "long_tasks": len(tasks),
        "long_task_max_ms": max(tasks, default=0.0),
        "errors": browser.complaints(),
        "machine": f"{os.cpu_count()} cores, {machine.machine()}",
        "version": browser.call("Browser.getVersion")["product"],
    }


def heap(browser: Browser) -> float:
    """Megabytes that scripts hold, garbage left out."""
    browser.call("HeapProfiler.collectGarbage")
    return float(browser.call("Runtime.getHeapUsage")["usedSize"]) / 1e6


def table(figures: dict[str, Any]) -> str:
    change = figures["heap_end_mb"] / figures["heap_start_mb"] - 1
    rows = {
        "machine, browser": f"{figures['machine']}, {figures['version']} without a GPU",
        "open": f"{figures['minutes']:g} min, {figures['updates']} chains of {figures['cells']} cells",
        "heap, start and end": f"{figures['heap_start_mb']:.1f} MB, {figures['heap_end_mb']:.1f} MB ({change:+.1%})",
        "heap, lowest and highest": f"{figures['heap_low_mb']:.1f} MB, {figures['heap_high_mb']:.1f} MB",
        "frames a second while scrolling": f"{figures['frames_per_second']:.1f}",
        "frame, p50 / p99 / max": " / ".join(f"{figures[f'frame_{name}_ms']:.1f} ms" for name in ("p50", "p99", "max")),
        "frames that came late": f"{figures['late_share']:.2%} of {figures['frames']}",
        "tasks above 50 ms": f"{figures['long_tasks']}, the longest {figures['long_task_max_ms']:.0f} ms",
        "errors on the console": str(len(figures["errors"])),
    }
    lines = ["| what | measured |", "|---|---|", *(f"| {what} | {measured} |" for what, measured in rows.items())]
    return "\n".join(lines + figures["errors"])


if __name__ == "__main__":
    sys.exit(main())
