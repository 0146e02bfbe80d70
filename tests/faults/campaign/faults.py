"""What can go wrong, one function each: it begins, lasts, and has ended when the function returns."""

import errno
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import psutil
import pymongo

from aro.adapters.clock import utc
from aro.contracts.names import COLLECTION_CHAINS, PUBSUB_LIVE, live_key, parse_channel, snapshot_id
from aro.testing import wrong_clock
from aro.testing.eventually import eventually
from aro.testing.platform import SERVICES
from campaign import injections
from campaign.stage import Stage

Detail = dict[str, Any]
Act = Callable[[Stage, str, float], Detail]
Need = Literal["", "root", "libfaketime"]

STORES: Final = ("redis", "mongo")
PIPELINE: Final = ("feed", "consume", "work", "beat", "gateway")
BACK_SECONDS: Final = 60.0
"""Longest wait for a process that is to come back; how long it took is for the checker to judge."""
SKEW_SECONDS: Final = 3_600.0
SLOW: Final = {"delay": 0.2, "bytes_per_second": 125_000}
"""200 ms each way and 1 Mbit/s."""
TINY_BUFFER: Final = "pubsub 65536 32768 1"
USUAL_BUFFER: Final = "pubsub 33554432 8388608 60"


@dataclass(frozen=True)
class Fault:
    """`seconds`: shortest and longest that it lasts; the rest of what it takes is waiting for processes."""

    name: str
    act: Act
    targets: tuple[str, ...] = ("",)
    seconds: tuple[float, float] = (0.0, 0.0)
    need: Need = ""
    times: int = 1
    """In a round of all faults."""


def killed(stage: Stage, target: str, _: float) -> Detail:
    with _replaced(stage, target):
        stage.platform.processes[target].kill()
    return {}


def ended(stage: Stage, target: str, _: float) -> Detail:
    with _replaced(stage, target):
        stage.platform.processes[target].signal(signal.SIGTERM)
    return {}


def hung(stage: Stage, target: str, seconds: float) -> Detail:
    with _stopped(stage, target):
        _last(seconds)
    return {}


def stuttering(stage: Stage, target: str, seconds: float) -> Detail:
    """Gets a fifth of the processor."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with _stopped(stage, target):
            _last(0.4)
        _last(0.1)
    return {}


def pool_child_killed(stage: Stage, _: str, seconds: float) -> Detail:
    """kill -9 of a pool's children while one of them has stored a chain and not yet published it."""
    link = stage.links["work-redis"]
    link.set(delay=0.1)
    try:
        caught = _stored_not_shown(stage, seconds)
        children = psutil.Process(stage.pid("work")).children()
        for child in children:
            child.send_signal(signal.SIGKILL)
    finally:
        link.set()
    return {"stored_not_shown": caught, "children": len(children)}


def redis_forgot(stage: Stage, _: str, __: float) -> Detail:
    stage.lose("FLUSHALL")
    return {}


def redis_lost_its_file(stage: Stage, _: str, __: float) -> Detail:
    """kill -9, its append-only file deleted, and a start with nothing."""
    server, directory = stage.platform.redis, Path(stage.platform.redis.log).parent
    stage.platform.unguard("redis")
    stage.redis.execute_command("CLIENT", "PAUSE", "10000", "WRITE")
    stage.lose("PING")
    server.kill()
    shutil.rmtree(directory / "appendonlydir")
    with _replaced(stage, "redis"):
        stage.platform.guard("redis")
    return {}


def link_cut(stage: Stage, target: str, seconds: float) -> Detail:
    return _on_links(stage, target, seconds, state="cut")


def link_silent(stage: Stage, target: str, seconds: float) -> Detail:
    return _on_links(stage, target, seconds, state="silent")


def link_slow(stage: Stage, target: str, seconds: float) -> Detail:
    return _on_links(stage, target, seconds, **SLOW)


def disk_full(stage: Stage, target: str, seconds: float) -> Detail:
    filler = stage.disks[target] / "filler"
    try:
        with filler.open("wb") as file:
            size = _fill(file.fileno())
        _last(seconds)
    finally:
        filler.unlink()
    return {"bytes": size}


def memory_full(stage: Stage, _: str, seconds: float) -> Detail:
    stage.redis.config_set("maxmemory", "1mb")
    try:
        _last(seconds)
    finally:
        eventually(partial(stage.redis.config_set, "maxmemory", "0"), "redis to take a setting")
    return {}


def clock_ahead(stage: Stage, target: str, seconds: float) -> Detail:
    return _with_clock(stage, target, seconds, SKEW_SECONDS)


def clock_behind(stage: Stage, target: str, seconds: float) -> Detail:
    return _with_clock(stage, target, seconds, -SKEW_SECONDS)


def pubsub_killed(stage: Stage, _: str, __: float) -> Detail:
    return {"connections": stage.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")}


def slow_subscriber(stage: Stage, _: str, seconds: float) -> Detail:
    """The gateway hangs while more is announced than Redis keeps for it: it is cut off in the middle of a message."""
    name = "client_output_buffer_limit_disconnections"
    before = stage.redis.info("stats").get(name, 0)
    stage.redis.config_set("client-output-buffer-limit", TINY_BUFFER)
    try:
        with _stopped(stage, "gateway"):
            # More than sockets hold on the way; the gateway takes it for no announcement of ours.
            for _copy in range(32):
                stage.redis.publish(PUBSUB_LIVE, bytes(1 << 20))
            _last(seconds)
    finally:
        stage.redis.config_set("client-output-buffer-limit", USUAL_BUFFER)
    return {"disconnected": stage.redis.info("stats").get(name, 0) - before}


def clients_cut(stage: Stage, _: str, __: float) -> Detail:
    return {"connections": stage.balancer.cut()}


FAULTS: Final = (
    Fault("killed", killed, (*SERVICES, *STORES), times=4),
    Fault("ended", ended, (*PIPELINE, *STORES), times=2),
    Fault("hung", hung, (*PIPELINE, *STORES, "storage", "api", "auth"), (3.0, 8.0), times=3),
    Fault("stuttering", stuttering, ("work", "consume", "gateway", "redis"), (3.0, 5.0)),
    Fault("pool child killed", pool_child_killed, seconds=(10.0, 10.0)),
    Fault("redis forgot", redis_forgot),
    Fault("redis lost its file", redis_lost_its_file),
    Fault(
        "link cut", link_cut, ("*-redis", "*-mongo", *(f"{name}-redis" for name in PIPELINE), "work-mongo"), (2.0, 6.0)
    ),
    Fault(
        "link silent",
        link_silent,
        ("*-redis", "*-mongo", *(f"{name}-redis" for name in PIPELINE), "work-mongo"),
        (3.0, 8.0),
    ),
    Fault("link slow", link_slow, ("*-mongo", *(f"{name}-redis" for name in PIPELINE), "work-mongo"), (3.0, 6.0)),
    Fault("disk full", disk_full, STORES, (3.0, 6.0), "root"),
    Fault("memory full", memory_full, ("redis",), (3.0, 6.0)),
    Fault("clock ahead", clock_ahead, PIPELINE, (6.0, 8.0), "libfaketime"),
    Fault("clock behind", clock_behind, PIPELINE, (6.0, 8.0), "libfaketime"),
    Fault("poison entries", injections.poison_entries),
    Fault("poison tasks", injections.poison_tasks),
    Fault("entries again", injections.entries_again, seconds=(2.0, 3.0)),
    Fault("tasks again", injections.tasks_again, seconds=(2.0, 3.0)),
    Fault("tasks lost", injections.tasks_lost, seconds=(2.0, 4.0)),
    Fault("announcements lost", injections.announcements_lost),
    Fault("foreign keys", injections.foreign_keys),
    Fault("pubsub killed", pubsub_killed),
    Fault("slow subscriber", slow_subscriber, ("gateway",), (5.0, 8.0)),
    Fault("clients cut", clients_cut),
)


def missing(need: Need) -> str:
    """What is not here of what a fault needs, in words; empty if all is."""
    if need == "root" and os.geteuid() != 0:
        return "filling a disk needs root, who may mount one"
    if need == "libfaketime" and wrong_clock.library() is None:
        return "a wrong clock needs libfaketime (Debian and Ubuntu: apt install faketime)"
    return ""


# --- parts ---------------------------------------------------------------------------------


def _last(seconds: float) -> None:
    threading.Event().wait(seconds)


@contextmanager
def _replaced(stage: Stage, name: str) -> Iterator[None]:
    """Until another process runs in its place."""
    before = stage.pid(name)
    yield
    eventually(lambda: _is_another(stage, name, before), f"another {name}", seconds=BACK_SECONDS)


def _is_another(stage: Stage, name: str, pid: int) -> bool:
    process = stage.platform.processes[name]
    return process.is_running and process.pid != pid


@contextmanager
def _stopped(stage: Stage, name: str) -> Iterator[None]:
    stage.signal(name, signal.SIGSTOP)
    try:
        yield
    finally:
        stage.signal(name, signal.SIGCONT)


def _fill(file: int) -> int:
    """Until not a page is left on its disk; the bytes that this took."""
    size, piece = 0, 1 << 30
    while piece >= 4096:
        try:
            os.posix_fallocate(file, size, piece)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            piece //= 2
        else:
            size += piece
    return size


def _on_links(stage: Stage, target: str, seconds: float, **how: Any) -> Detail:
    """`target` is a link, or ``*-redis`` for all of them."""
    service, _, store = target.partition("-")
    names = [f"{name}-{store}" for name in SERVICES] if service == "*" else [target]
    for name in names:
        stage.links[name].set(**how)
    try:
        _last(seconds)
    finally:
        for name in names:
            stage.links[name].set()
    return {}


def _with_clock(stage: Stage, target: str, seconds: float, skew: float) -> Detail:
    """It starts with a wrong clock, works like that for a while, and starts again with the right one."""
    stage.skewed[target] = skew
    with _replaced(stage, target):
        stage.platform.processes[target].kill()
    _last(seconds)
    del stage.skewed[target]
    with _replaced(stage, target):
        stage.platform.processes[target].kill()
    return {}


def _stored_not_shown(stage: Stage, seconds: float) -> str:
    """The id of a chain that is in MongoDB and not yet live; empty if there was none in time."""
    chains = stage.database[COLLECTION_CHAINS]
    series = [parse_channel(name) for name in stage.series() if name.startswith("chain:")]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for channel in series:
            since = utc(round(time.time() * 1000) - 30_000)
            query = {"product": channel.product, "expiry": channel.expiry, "source_at": {"$gte": since}}
            found = list(chains.find(query, {"source_seq": 1}).sort("source_at", pymongo.DESCENDING).limit(1))
            shown = stage.redis.hget(live_key(str(channel)), "source_seq")
            if found and shown is not None and found[0]["source_seq"] > int(shown):
                return snapshot_id(str(channel.product), str(channel.expiry), found[0]["source_seq"])
    return ""
