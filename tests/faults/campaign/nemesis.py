"""Which fault comes when: a plan that a seed decides, carried out one fault at a time with healing in between."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aro.testing.eventually import eventually
from campaign.faults import Fault
from campaign.stage import Stage

QUIET_SECONDS: Final = 3.5
"""Between two faults at least: longer than what a dying Redis takes along is at risk, so that each stands alone."""


@dataclass(frozen=True, slots=True)
class Step:
    fault: Fault
    target: str
    seconds: float


def plan(seed: int, faults: Sequence[Fault]) -> Iterator[Step]:
    """For ever, in rounds: in each every kind of fault comes its `times`. No target of a kind comes again before all
    of them did."""
    chance = random.Random(seed)
    targets: dict[str, list[str]] = {fault.name: [] for fault in faults}
    while True:
        for fault in chance.sample(
            list(faults), sum(each.times for each in faults), counts=[each.times for each in faults]
        ):
            waiting = targets[fault.name]
            if not waiting:
                waiting += chance.sample(fault.targets, len(fault.targets))
            yield Step(fault, waiting.pop(), round(chance.uniform(*fault.seconds), 1))


class Nemesis:
    def __init__(self, stage: Stage, steps: Iterator[Step], *, heal_seconds: float) -> None:
        self._stage = stage
        self._steps = steps
        self._heal_seconds = heal_seconds
        self.done = 0

    def run(self, until: float, *, most: int | None = None) -> None:
        """Faults until monotonic time `until`, or `most` of them; the last one heals too."""
        while time.monotonic() < until and (most is None or self.done < most):
            self._step(next(self._steps), self.done + 1)
            self.done += 1

    def _step(self, step: Step, number: int) -> None:
        note = self._stage.recorder.note
        note("fault", number=number, name=step.fault.name, target=step.target, detail=f"for {step.seconds} s")
        healed = 0.0
        try:
            detail = step.fault.act(self._stage, step.target, step.seconds)
            healed = note("healed", number=number, detail=detail)
            eventually(
                lambda: self._stage.recovered(healed),
                "everything to recover",
                seconds=self._heal_seconds,
                interval=0.05,
            )
        except AssertionError as error:
            note("recovered", number=number, ok=False, detail=str(error)[:400])
        else:
            note("recovered", number=number, ok=True, detail="")
        left = QUIET_SECONDS - (time.time() * 1000 - healed) / 1000
        if left > 0:
            time.sleep(left)
