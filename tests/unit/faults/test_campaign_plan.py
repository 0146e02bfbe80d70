"""The plan of a fault campaign is decided by its seed, and leaves nothing out."""

import sys
from collections import Counter
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
for folder in (ROOT / "tests" / "faults", ROOT / "examples"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from campaign.faults import FAULTS  # noqa: E402
from campaign.nemesis import plan  # noqa: E402

ROUND = sum(fault.times for fault in FAULTS)


def test_the_same_seed_plans_the_same():
    first, again, other = (list(islice(plan(seed, FAULTS), 3 * ROUND)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_kind_comes_in_every_round():
    steps = list(islice(plan(5, FAULTS), 2 * ROUND))
    for part in (steps[:ROUND], steps[ROUND:]):
        assert Counter(step.fault.name for step in part) == {fault.name: fault.times for fault in FAULTS}
    assert all(step.fault.seconds[0] <= step.seconds <= step.fault.seconds[1] for step in steps)


def test_no_target_comes_again_before_all_of_its_kind_did():
    kills = [step.target for step in islice(plan(9, FAULTS), 8 * ROUND) if step.fault.name == "killed"]
    targets = next(fault.targets for fault in FAULTS if fault.name == "killed")
    assert sorted(kills[: len(targets)]) == sorted(targets)
    assert sorted(kills[len(targets) : 2 * len(targets)]) == sorted(targets)
