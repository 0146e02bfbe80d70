"""One run: chains offered at a rate, or as fast as they are taken, and what became of them."""

import time
from dataclasses import dataclass, field
from typing import Any

import psutil
from contestants import Contestant
from witness import Witness

from aro.testing.eventually import eventually

STEP_SECONDS = 0.01
"""Chains are offered evenly, in steps of so long."""
WINDOW = 2_048
"""Most chains under way while as many are offered as are taken."""
MOST_OWED = 2_000
"""Beyond so many under way nothing more is offered: that rate is above the ceiling."""
DRAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Lap:
    """`chains` were heard, `seconds` is from the first that was sent to the last that was heard."""

    chains: int
    contracts: int
    seconds: float
    latencies_ms: list[float] = field(repr=False)
    """sorted"""
    cpu: dict[str, float]
    """Seconds by part."""
    stages: dict[str, float]

    @property
    def contracts_per_second(self) -> float:
        return self.chains * self.contracts / self.seconds

    def percentile(self, share: float) -> float:
        return self.latencies_ms[min(len(self.latencies_ms) - 1, int(len(self.latencies_ms) * share))]


class Track:
    """Sends numbered chains to one contestant and listens to what comes out."""

    def __init__(self, contestant: Contestant, witness: Witness, seq: int) -> None:
        self._contestant, self._witness = contestant, witness
        self._load = psutil.Process()
        self._seq = seq

    def warm_up(self, chains: int) -> None:
        self._witness.clear(self._seq)
        self._send(chains)
        eventually(lambda: self._witness.heard >= chains, "the warm-up to come out", seconds=60)

    def run(self, offered: float | None, seconds: float, contracts: int, *, burst: bool = False) -> Lap:
        """`offered` chains a second, evenly or (`burst`) once a second; None for as many as are taken."""
        base = self._seq
        self._witness.clear(base)
        self._sent_at: list[int] = []
        cpu, stages = self._cpu(), self._contestant.stages()
        started = time.monotonic()
        self._offer(offered, seconds, burst)
        sent = len(self._sent_at)
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._witness.heard < sent and time.monotonic() < deadline:
            time.sleep(STEP_SECONDS)
        arrived = [(at - self._sent_at[i]) / 1e6 for i, at in enumerate(self._witness.at[:sent]) if at]
        last = max(self._witness.at[:sent], default=0) / 1e9
        return Lap(
            chains=len(arrived),
            contracts=contracts,
            seconds=max(last - started, seconds),
            latencies_ms=sorted(arrived),
            cpu=_less(self._cpu(), cpu),
            stages=_less(self._contestant.stages(), stages),
        )

    def _offer(self, offered: float | None, seconds: float, burst: bool) -> None:
        started = time.monotonic()
        step = 1.0 if burst else STEP_SECONDS
        turn = 0
        while time.monotonic() - started < seconds:
            under_way = len(self._sent_at) - self._witness.heard
            if offered is None:
                self._send(min(128, WINDOW - under_way))
                time.sleep(0.001)
                continue
            turn += 1
            due = round(offered * turn * step) - len(self._sent_at)
            self._send(min(due, MOST_OWED - under_way))
            time.sleep(max(0.0, min(turn * step, seconds) - (time.monotonic() - started)))

    def _send(self, chains: int) -> None:
        if chains <= 0:
            return
        seqs = range(self._seq, self._seq + chains)
        self._seq += chains
        now = time.monotonic_ns()
        getattr(self, "_sent_at", []).extend([now] * chains)
        self._contestant.send(seqs)

    def _cpu(self) -> dict[str, float]:
        load = self._load.cpu_times()
        heard = psutil.Process(self._witness.pid).cpu_times()
        return {
            **self._contestant.cpu_seconds(),
            "load": load.user + load.system,
            "witness": heard.user + heard.system,
        }


def _less(after: dict[str, float], before: dict[str, float]) -> dict[str, Any]:
    return {name: value - before.get(name, 0.0) for name, value in after.items()}
