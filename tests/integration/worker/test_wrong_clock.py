"""A worker whose clock is an hour ahead works like any other: no batch is too old for it, and nothing is given up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aro.adapters.dead_letters import DeadLetters
from aro.adapters.ledger import Ledger
from aro.adapters.live import LiveReader
from aro.contracts.codec import encode_message
from aro.contracts.names import STREAM_CHAINS
from aro.testing import factories, wrong_clock
from aro.testing.eventually import eventually
from aro.testing.platform import Platform

HOUR_SECONDS = 3_600.0

needs_library = pytest.mark.skipif(
    wrong_clock.library() is None, reason="needs libfaketime (Debian and Ubuntu: apt install faketime)"
)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    skew = wrong_clock.environ(HOUR_SECONDS)
    running = Platform(tmp_path, own=lambda service: skew if service == "work" else {})
    try:
        running.start(("consume", "work"))
        yield running
    finally:
        running.stop()


@needs_library
def test_batches_are_done_though_the_worker_s_clock_is_ahead(platform: Platform) -> None:
    client = platform.redis.client()
    ledger = Ledger(client)
    ledger.append([(STREAM_CHAINS, encode_message(factories.chain(source_seq=factories.SNAPSHOT_TS)))])
    eventually(lambda: LiveReader(client).state("chain:NIFTY:2026-11-23"), "the chain to be published", seconds=20)
    eventually(lambda: ledger.pending(STREAM_CHAINS) == 0, "the entry to be acknowledged", seconds=20)
    assert DeadLetters(client).count() == 0
    client.close()
