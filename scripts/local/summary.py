"""What a person reads at the end: addresses, a token, the commands to subscribe, or a table of health."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from local.health import Report
from local.home import Home, default_home
from local.programs import LOOPBACK, FeedOptions
from local.settings import LocalSettings
from local.starting import CHECKOUT, Started, describe

_MINUTE, _HOUR = 60, 3_600


def summary(started: Started) -> str:
    settings = started.settings
    here, client = _variables(started.home), _client_variables(started)
    api = f"http://{LOOPBACK}:{settings.api_port}"
    lines = [
        "",
        f"feed            {describe(started.feed)}",
        *_leftovers(started),
        f"api-gateway     {api}/api/v1, every route at {api}/docs",
        f"socket-gateway  http://{LOOPBACK}:{settings.gateway_port}  (Socket.IO, namespace /v1, websocket only)",
        f"demo account    {started.home.demo}",
        f"logs and data   {started.home.path}",
        "",
        "access token of the demo account, good for 15 minutes:",
        started.token,
        "",
        "ask, with it as TOKEN, or take the tour:",
        f'  curl -s -H "Authorization: Bearer $TOKEN" "{api}/api/v1/chains/{_product(started.feed)}?strikes=atm:3"',
        f"  {client}bash {_relative(CHECKOUT / 'examples' / 'rest_tour.sh')}",
        "subscribe with Node, or with Python:",
        f"  {client}node {_relative(CHECKOUT / 'scripts' / 'subscribe-example.js')}",
        f"  {client}{_relative(Path(sys.executable))} {_relative(CHECKOUT / 'examples' / 'subscribe.py')}",
        "see and stop:",
        f"  {here}./scripts/start-local.sh --status",
        f"  {here}./scripts/stop-local.sh",
        "",
        *_page(started),
    ]
    return "\n".join(lines)


def table(reports: Sequence[Report]) -> str:
    rows = [("process", "state", "health", "address", "pid", "up")]
    for report in reports:
        address = f"{LOOPBACK}:{report.program.port}"
        up = _duration(report.up_seconds) if report.pid else "-"
        rows.append((report.program.name, report.state, report.fault or "ok", address, str(report.pid or "-"), up))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _page(started: Started) -> list[str]:
    """Last, because it is what most will want."""
    if started.page is None:
        return ["the page is not there: it could not be built when this platform was started"]
    return [
        "look at it, logged in as the demo account (this link works once, within ten minutes):",
        f"  {started.page}",
    ]


def _leftovers(started: Started) -> list[str]:
    if started.before.replay == started.feed.replay:
        return []
    old = describe(started.before)
    return [f"                expiries of the earlier feed ({old}) are still stored and listed; --clean starts afresh"]


def _product(feed: FeedOptions) -> str:
    """One that is fed, as far as we know: recordings are mostly of this one."""
    return feed.products[0] if feed.products else "NIFTY"


def _variables(home: Home) -> str:
    """What must stand before a script so that it meets this platform and not the default one."""
    return "" if home.path == default_home(os.environ) else f"ARO_HOME={shlex.quote(str(home.path))} "


def _client_variables(started: Started) -> str:
    """The same for the examples, which know addresses and not ports."""
    usual, settings = LocalSettings(), started.settings
    found = _variables(started.home)
    if settings.api_port != usual.api_port:
        api = f"http://{LOOPBACK}:{settings.api_port}"
        found += f"ARO_API_URL={api} ARO_AUTH_URL={api} "
    if settings.gateway_port != usual.gateway_port:
        found += f"ARO_GATEWAY_URL=http://{LOOPBACK}:{settings.gateway_port} "
    return found


def _relative(path: Path) -> str:
    return f"./{path.relative_to(CHECKOUT)}" if path.is_relative_to(CHECKOUT) else str(path)


def _duration(seconds: int) -> str:
    if seconds >= _HOUR:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE} min"
    return f"{seconds // _MINUTE} min {seconds % _MINUTE} s" if seconds >= _MINUTE else f"{seconds} s"
