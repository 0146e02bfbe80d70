"""One server at a time: as many messages as it can deliver, or as many per second as it is asked for."""

import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from contestants import Contestant

IN_FLIGHT = 16
"""Messages that may be outstanding. Enough that no server ever waits for the next one; few enough to end soon."""
UNREAD_BYTES = 128 << 10
"""At most so many bytes of them for one client: less than what a kernel keeps, so that nobody has a reason to skip."""
LATE_SECONDS = 30.0
SPIN_SECONDS = 0.001
"""The last bit before a message is due is not slept: the epoll counts in milliseconds."""
IDLE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Lap:
    """`cpu_us` is the server's for one delivery, `at_once` how many messages came with one read on average.

    `load_share` is the part of its core that the load needed: near 1 it, and not the server, was the limit.
    """

    per_second: float
    skipped: int
    cpu_us: float
    cpu_share: float
    load_share: float
    at_once: float


@dataclass(frozen=True, slots=True)
class Latencies:
    """In milliseconds, from when a message was to be published to when a client had it."""

    p50: float
    p99: float
    worst: float
    count: int
    skipped: int


class Late(Exception):
    """What was published did not arrive."""


class Track:
    """`others` are the servers that have nothing to do: they ping their clients all the same."""

    def __init__(self, running: Contestant, others: Sequence[Contestant]) -> None:
        self._running = running
        self._crowd = running.crowd
        self._others = others
        self._others_at = 0.0

    def saturate(self, seconds: float) -> Lap:
        """Publish whenever fewer messages than a bound are under way."""
        crowd, clients = self._crowd, len(self._crowd)
        bound = min(IN_FLIGHT, UNREAD_BYTES // self._running.size)
        skipped, at_start, reads, cpu = crowd.skipped, crowd.delivered, crowd.reads, self._running.cpu_seconds()

        def feed() -> None:
            free = bound - -(-crowd.behind // clients)
            if free > 0:
                self._running.publish(time.perf_counter_ns(), free)

        # From the first publication to the last delivery: some servers deliver in bursts, and any shorter window would
        # cut some of these in two.
        began, load = time.perf_counter(), time.process_time()
        self._turn_until(lambda: time.perf_counter() >= began + seconds, feed)
        self._drain()
        took, load = time.perf_counter() - began, time.process_time() - load
        delivered, cpu = crowd.delivered - at_start, self._running.cpu_seconds() - cpu
        return Lap(
            per_second=delivered / took,
            skipped=crowd.skipped - skipped,
            cpu_us=cpu / delivered * 1e6,
            cpu_share=cpu / took,
            load_share=load / took,
            at_once=delivered / (crowd.reads - reads),
        )

    def steady(self, per_second: float, seconds: float, *, at_least: int = 3) -> Latencies:
        """Publish so many messages a second, whatever becomes of them."""
        messages = max(at_least, round(per_second * seconds))
        skipped, latencies = self._crowd.skipped, array("q")
        self._crowd.latencies_ns = latencies
        interval_ns = round(1e9 / per_second)
        due_ns = time.perf_counter_ns() + interval_ns
        for _ in range(messages):
            while (left := (due_ns - time.perf_counter_ns()) / 1e9) > 0:
                self._turn(max(0.0, left - SPIN_SECONDS))
            self._running.publish(due_ns)
            due_ns += interval_ns
        self._drain()
        self._crowd.latencies_ns = None
        p50, p99, worst = np.percentile(np.frombuffer(latencies, np.int64), [50, 99, 100]) / 1e6
        return Latencies(float(p50), float(p99), float(worst), len(latencies), self._crowd.skipped - skipped)

    def _drain(self) -> None:
        until = time.perf_counter() + LATE_SECONDS
        self._turn_until(lambda: self._crowd.behind == 0 or time.perf_counter() > until, lambda: None)
        if self._crowd.behind:
            raise Late(f"{self._running.name}: {self._crowd.behind} deliveries did not come in {LATE_SECONDS:g} s")
        self._running.settle()

    def _turn_until(self, done: Callable[[], bool], feed: Callable[[], None]) -> None:
        while not done():
            feed()
            self._turn(0.05)

    def _turn(self, seconds: float) -> None:
        self._crowd.turn(seconds)
        if (now := time.perf_counter()) >= self._others_at:
            self._others_at = now + IDLE_SECONDS
            for other in self._others:
                other.crowd.turn(0)
