"""Bring a platform up, or bring a running one to what is asked for."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from local import health, schema, stopping, supervision
from local.account import access_token
from local.home import Home
from local.page import page_link
from local.processes import of_platform
from local.programs import FEED, PIPELINE, SERVICES, STORES, FeedOptions, Program, environment, programs
from local.settings import LocalSettings
from local.supervision import Supervisor

CHECKOUT: Final = Path(__file__).resolve().parents[2]
_PHASES: Final = (
    ("stores", (STORES,)),
    ("services", (SERVICES,)),
    ("pipeline", (PIPELINE, FEED)),
)
_HEALTHY_SECONDS: Final = 90.0
_FEED: Final = "feed"


class CannotStart(Exception):
    """What stands in the way, for a person."""


@dataclasses.dataclass(frozen=True, slots=True)
class Started:
    """A healthy platform. `was_running`: there was nothing to start. `before`: the feed of the start before it. `page`:
    an address that logs a browser in; None if there is no page."""

    home: Home
    settings: LocalSettings
    feed: FeedOptions
    programs: list[Program]
    token: str
    was_running: bool
    before: FeedOptions
    page: str | None = None


class Progress:
    """One line per phase, with its seconds."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    @contextmanager
    def phase(self, name: str) -> Iterator[list[str]]:
        """Append to the list what the line shall say."""
        started, words = time.monotonic(), list[str]()
        yield words
        self._write(f"{name:<14} {', '.join(words):<58} {time.monotonic() - started:5.1f} s")

    def note(self, text: str) -> None:
        self._write(text)


def start(home: Home, settings: LocalSettings, feed: FeedOptions | None, *, clean: bool, progress: Progress) -> Started:
    """Return when everything is healthy. `feed` None means: what runs, or everything synthetic.

    Raises
    ------
    CannotStart, Unhealthy, AccountError, HomeError, SchemaError, SupervisorError, ServerNotFound, StillRunning
        What was started here has been stopped again.
    """
    if feed is not None:
        feed.check()
    with home.lock():
        if clean:
            _clean(home, progress)
        state = home.read_state()
        if state is not None and Supervisor(home).is_running():
            return _resume(home, state, feed, progress)
        wanted = feed or FeedOptions()
        return _start_afresh(home, settings, wanted, wanted if state is None else _feed(state), progress)


def recorded(home: Home) -> tuple[LocalSettings, FeedOptions] | None:
    """Settings and feed of the last start in `home`."""
    state = home.read_state()
    return None if state is None else (_settings(state), _feed(state))


def _clean(home: Home, progress: Progress) -> None:
    with progress.phase("clean") as words:
        ended = stopping.stop(home)
        home.wipe()
        words.append(f"{ended.supervised + ended.orphans} processes ended, {home.path} emptied")


def _resume(home: Home, state: Mapping[str, Any], feed: FeedOptions | None, progress: Progress) -> Started:
    if state["checkout"] != str(CHECKOUT):
        raise CannotStart(
            f"the platform in {home.path} was started from {state['checkout']}: "
            "stop it there, or set ARO_HOME (and other ports) for this one"
        )
    settings, running = _settings(state), _feed(state)
    password = home.redis_password()
    wanted = feed or running
    plan = programs(home, settings, wanted)
    if wanted != running:
        with progress.phase(_FEED) as words:
            _replace_feed(home, plan, password)
            home.write_state({**state, "feed": _feed_state(wanted)})
            words.append(f"restarted: {describe(wanted)}")
    _wait(home, plan, password, progress)
    return _finish(home, settings, wanted, plan, progress, was_running=wanted == running, before=running)


def _start_afresh(
    home: Home, settings: LocalSettings, feed: FeedOptions, before: FeedOptions, progress: Progress
) -> Started:
    home.prepare()
    if of_platform(home):
        ended = stopping.stop(home)
        progress.note(f"{ended.orphans} processes of this platform had lost their supervisor and were ended")
    plan = programs(home, settings, feed)
    faults = _port_faults(plan)
    if faults:
        raise CannotStart("\n".join(faults))
    password = home.redis_password()
    is_made = schema.is_made(home.read_state(), settings)
    state = {"checkout": str(CHECKOUT), "settings": _settings_state(settings), "feed": _feed_state(feed)}
    home.write_state(state)
    home.empty_temporary()
    supervision.write_configuration(home, plan, password, only_stores=not is_made)
    try:
        supervision.start(home, environment(home, settings, password))
        if not is_made:
            _make_schema(home, settings, plan, password, progress)
        home.write_state({**state, "collections": schema.COLLECTIONS})
        _wait(home, plan, password, progress)
        return _finish(home, settings, feed, plan, progress, was_running=False, before=before)
    except BaseException:
        # Also on Ctrl-C: half a platform helps nobody; the logs stay.
        stopping.stop(home)
        raise


def _make_schema(home: Home, settings: LocalSettings, plan: list[Program], password: str, progress: Progress) -> None:
    """With nothing but the stores running; then start the others."""
    with progress.phase("schema") as words:
        stores = [program for program in plan if program.tier == STORES]
        health.wait(home, stores, password, seconds=_HEALTHY_SECONDS)
        words.append(schema.make(home, settings))
    supervision.write_configuration(home, plan, password)
    Supervisor(home).start_all()


def _port_faults(plan: list[Program]) -> list[str]:
    variables: dict[int, list[str]] = {}
    for item in plan:
        for variable, port in item.ports.items():
            variables.setdefault(port, []).append(variable)
    shared = [f"{' and '.join(names)} are all {port}" for port, names in variables.items() if len(names) > 1]
    return shared + stopping.busy_ports(plan)


def _wait(home: Home, plan: list[Program], password: str, progress: Progress) -> None:
    for name, tiers in _PHASES:
        members = [program for program in plan if program.tier in tiers]
        with progress.phase(name) as words:
            health.wait(home, members, password, seconds=_HEALTHY_SECONDS)
            words.append(", ".join(f"{program.name} {program.port}" for program in members))


def _finish(
    home: Home,
    settings: LocalSettings,
    feed: FeedOptions,
    plan: list[Program],
    progress: Progress,
    *,
    was_running: bool,
    before: FeedOptions,
) -> Started:
    with progress.phase("demo account") as words:
        token = access_token(home, settings.api_port)
        page = page_link(home, settings)
        words.append(f"logged in; its password is in {home.demo.name}")
    return Started(home, settings, feed, plan, token, was_running, before, page)


def _replace_feed(home: Home, plan: list[Program], password: str) -> None:
    supervisor = Supervisor(home)
    supervision.write_configuration(home, plan, password)
    stopping.stop_one(supervisor, _FEED)
    supervisor.replace(_FEED)


def describe(feed: FeedOptions) -> str:
    products = ", ".join(feed.products) or "all default products"
    return f"{products}, synthetic" if feed.replay is None else f"replay of {feed.replay.name}"


def _feed_state(feed: FeedOptions) -> dict[str, Any]:
    return {"replay": str(feed.replay) if feed.replay else None, "products": list(feed.products)}


def _feed(state: Mapping[str, Any]) -> FeedOptions:
    replay = state["feed"]["replay"]
    return FeedOptions(Path(replay) if replay else None, tuple(state["feed"]["products"]))


def _settings_state(settings: LocalSettings) -> dict[str, Any]:
    return {key: value for key, value in dataclasses.asdict(settings).items() if key != "home"}


def _settings(state: Mapping[str, Any]) -> LocalSettings:
    return LocalSettings(**state["settings"])
