"""The load client of scripts/bench.sh fanout is not a package."""

import sys
from pathlib import Path

FANOUT = Path(__file__).resolve().parents[2] / "load" / "fanout"
if str(FANOUT) not in sys.path:
    sys.path.insert(0, str(FANOUT))
