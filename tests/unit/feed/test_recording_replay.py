"""A recording is played as it was: every message once, in order, at its moment; only its stamps are new."""

import msgspec
import pytest

from aro.contracts.codec import decode_chain, decode_tick, encode_message
from aro.contracts.names import STREAM_CHAINS, STREAM_TICKS
from feed_generator.feed import Feed, numbered
from feed_generator.numbering import SourceSequences
from feed_generator.outbox import Outbox
from feed_generator.provider import FeedError
from feed_generator.recording.codec import Recorded, encode_block, file_head
from feed_generator.recording.provider import RecordingProvider
from feed_generator.recording.reader import Recording
from feed_generator.synthetic.provider import SyntheticProvider

THEN = 1_795_348_800_000
NOW = THEN + 86_400_000


@pytest.fixture
def published():
    """Ten ticks of two products, as they entered the ledger."""
    provider = SyntheticProvider(["NIFTY", "SPY"], seed=5, scenario="calm", exchange_hours=False)
    outbox = Outbox(1_000)
    feed = Feed(provider, SourceSequences({}), outbox)
    found = []
    for second in range(10):
        feed.tick(THEN + second * 1000)
        found += [Recorded(entry.stream, entry.source_ts, entry.message) for entry in outbox.take(1_000)]
    return found


@pytest.fixture
def recording(published, tmp_path):
    path = tmp_path / "ten.rec"
    path.write_bytes(
        file_head() + b"".join(encode_block(published[at : at + 20]) for at in range(0, len(published), 20))
    )
    opened = Recording(path)
    yield opened
    opened.close()


def play(recording, products=(), *, speed=1.0, loop=False, start_ts=None):
    return RecordingProvider(recording, products, speed=speed, loop=loop, start_ts=start_ts)


def expected(entries, started, first_ts, speed=1.0):
    """The messages of `entries` as a replay from `first_ts` on stamps them."""
    found = []
    for entry in entries:
        due = started + round((entry.ts - first_ts) / speed)
        if entry.stream == STREAM_TICKS:
            message = decode_tick(entry.message)
            found.append(msgspec.structs.replace(message, source_seq=0, source_ts=due, origin="replay"))
        else:
            message = decode_chain(entry.message)
            moved = message.expiry_ts + due - message.source_ts
            found.append(
                msgspec.structs.replace(message, source_seq=0, source_ts=due, expiry_ts=moved, origin="replay")
            )
    return found


def messages(batches):
    return [message for batch in batches for message in (*batch.ticks, *batch.chains)]


def test_every_message_is_played_once_at_its_moment(recording, published):
    provider = play(recording)
    batches = [provider.tick(NOW + second * 1000) for second in range(12)]
    assert [len(batch.ticks) for batch in batches] == [2] * 10 + [0, 0]
    assert messages(batches) == expected(published, NOW, THEN)


def test_faster_is_the_same_in_less_time(recording, published):
    provider = play(recording, speed=5.0)
    batches = [provider.tick(NOW + second * 1000) for second in range(3)]
    chains = [chain for batch in batches for chain in batch.chains]
    wanted = expected([entry for entry in published if entry.stream == STREAM_CHAINS], NOW, THEN, 5.0)
    assert chains == wanted
    assert len(batches[0].ticks) == 2
    assert len(batches[1].ticks) == 10


def test_it_starts_at_any_instant(recording, published):
    provider = play(recording, start_ts=THEN + 7_000)
    batches = [provider.tick(NOW + second * 1000) for second in range(4)]
    late = [entry for entry in published if entry.ts >= THEN + 7_000]
    assert messages(batches) == expected(late, NOW, THEN + 7_000)


def test_an_instant_after_the_end_is_refused(recording):
    with pytest.raises(FeedError, match="ends before the instant of --from"):
        play(recording, start_ts=THEN + 60_000)


def test_a_loop_starts_over(recording):
    provider = play(recording, loop=True)
    ticks = [len(provider.tick(NOW + second * 1000).ticks) for second in range(12)]
    assert ticks == [2] * 12


def test_products_are_chosen(recording):
    batch = play(recording, ["SPY"]).tick(NOW)
    assert {message.product for message in (*batch.ticks, *batch.chains)} == {"SPY"}


def test_the_same_recording_gives_the_same_bytes(recording):
    def played():
        provider = play(recording, speed=3.0)
        return [encode_message(numbered(m, 1)) for m in messages(provider.tick(NOW + s * 500) for s in range(10))]

    assert played() == played()


def test_a_malformed_message_is_left_out_and_counted(tmp_path, published):
    path = tmp_path / "odd.rec"
    path.write_bytes(file_head() + encode_block([Recorded(STREAM_CHAINS, THEN, b"?"), *published[:1]]))
    odd = Recording(path)
    batch = play(odd).tick(NOW)
    odd.close()
    assert (len(batch.ticks), len(batch.chains)) == (1, 0)
