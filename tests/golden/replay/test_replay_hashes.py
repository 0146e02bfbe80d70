"""The golden recording gives the same published bytes each time, apart from computed timestamps.

`tests/e2e/test_replay.py` holds what real servers publish for a session against the same hashes.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from golden_market import HASHES, RECORDING, START_MS, TICKS, hashes, published

from feed_generator.sessions.sources import RecordingSource


def test_published_bytes_of_the_golden_recording() -> None:
    source = RecordingSource(RECORDING, ())
    states = list(published(source.entries(START_MS)))
    source.close()
    golden = json.loads(HASHES.read_text(encoding="utf-8"))
    assert len(states) == TICKS * len(golden)
    assert hashes(states) == golden


def test_a_hash_sees_every_byte_but_when_it_was_computed() -> None:
    state = ("ticks:NIFTY", b'{"price":1.5,"computed_ts":7,"id":"a"}')
    assert hashes([state]) == hashes([(state[0], state[1].replace(b":7,", b":8,"))])
    assert hashes([state]) != hashes([(state[0], state[1].replace(b"1.5", b"1.6"))])
    assert hashes([state]) != hashes([state, state])
