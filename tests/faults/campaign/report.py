"""The checker's report as Markdown tables, and for what is wrong the least of the history that shows it."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec

from campaign.checker import window
from campaign.facts import Healing, Report, Violation, What
from campaign.history import Event, read

MOST_WINDOWS = 3
MOST_LISTED = 20
MOST_IDS = 4


def text(report: Report) -> str:
    lines = [
        "",
        "| faults | made | acknowledged | stored: chains, metrics, ticks | told to clients | excused |",
        "|---|---|---|---|---|---|",
        f"| {len(report.healings)} | {report.made:,} | {report.acknowledged:,} | "
        f"{', '.join(f'{report.stored[name]:,}' for name in ('chain_snapshots', 'chain_metrics', 'ticks'))} | "
        f"{sum(report.told.values()):,} | {report.excused} |",
        "",
        f"| {' | '.join(get_args(What))} | oldest while live |",
        "|---" * (len(get_args(What)) + 1) + "|",
        f"| {' | '.join(str(report.count(what)) for what in get_args(What))} | {report.oldest_live_ms / 1000:.1f} s |",
        "",
        "| fault | times | lasted s, longest | until all clients had fresh news, s: median, longest |",
        "|---|---|---|---|",
        *_rows(report.healings),
    ]
    return "\n".join(lines)


def _rows(healings: list[Healing]) -> Iterator[str]:
    of: dict[str, list[Healing]] = defaultdict(list)
    for healing in healings:
        of[healing.name].append(healing)
    for name, some in sorted(of.items()):
        fresh = sorted(item.fresh_ms / 1000 for item in some if item.fresh_ms is not None)
        shown = f"{fresh[len(fresh) // 2]:.1f}, {fresh[-1]:.1f}" if fresh else "never"
        targets = ", ".join(sorted({item.target for item in some} - {""}))
        lasted = max(item.lasted_ms for item in some) / 1000
        yield f"| {name}{f' ({targets})' if targets else ''} | {len(some)} | {lasted:.1f} | {shown} |"


def windows(path: Path, report: Report) -> Iterator[str]:
    """Every violation in a line; of the first few also the history around."""
    for violation in report.violations[:MOST_LISTED]:
        yield f"\n{violation.what}: {violation.text}"
    if len(report.violations) > MOST_LISTED:
        yield f"\n… and {len(report.violations) - MOST_LISTED} more"
    for violation in report.violations[:MOST_WINDOWS]:
        yield f"\n--- the history around: {violation.text}"
        for event in window(read(path), violation):
            yield _shortened(event, violation)


def _shortened(event: Event, violation: Violation) -> str:
    if "ids" in event:
        about = [name for name in event["ids"] if name in violation.about]
        event = {**event, "ids": (about or event["ids"])[:MOST_IDS]}
    if "channels" in event:
        event = {**event, "channels": {name: seq for name, seq in event["channels"].items() if name in violation.about}}
    return msgspec.json.encode(event).decode()[:300]
