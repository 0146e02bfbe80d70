"""A replay session by itself: its time, its orders, what it sends and when; no server."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aro.adapters.clock import ManualClock
from aro.contracts.analytics import EnrichedChain
from aro.contracts.codec import decode_chain, decode_tick
from aro.contracts.replays import Replayed, ReplayOrder, ReplayProgress, ReplayStatus
from feed_generator.provider import FeedError
from feed_generator.sessions.history import snapshot
from feed_generator.sessions.playback import RETRY_SECONDS, Playback
from feed_generator.sessions.sources import Folder, Played, RecordingSource, nothing_until
from feed_generator.sessions.timeline import Timeline
from worker_enricher.published import enrich_records
from worker_enricher.snapshots import read_chain

sys.path.insert(0, str(Path(__file__).parents[2] / "golden" / "replay"))
from golden_market import RECORDING, START_MS, TICKS, record

ORDER = ReplayOrder(
    id="0123456789abcdef",
    owner="ann",
    created_ts=0,
    recording="a.rec",
    products=(),
    from_ts=None,
    to_ts=None,
    speed=1.0,
    paused=False,
)


class Sent:
    """An outlet that keeps everything; `free` is its room."""

    def __init__(self) -> None:
        self.free = 100
        self.messages: list[Replayed] = []
        self.said: list[ReplayStatus] = []
        self.progress = ReplayProgress()

    def room(self) -> int:
        return self.free

    def send(self, messages: list[Replayed]) -> None:
        self.messages += messages

    def note(self, progress: ReplayProgress, status: ReplayStatus) -> None:
        self.progress = progress
        self.said.append(status)

    def names(self) -> list[str]:
        taken = [item.message.decode() for item in self.messages]
        self.messages = []
        return taken


class Series:
    """Message ``a<second>`` each second and ``b<second>`` each other, from 1000 s on."""

    first_ts: int | None = 1_000_000
    last_ts: int | None = 1_009_000

    def __init__(self) -> None:
        self.fails = False
        self.gap: int | None = None

    def entries(self, from_ts: int) -> Iterator[Played]:
        for second in range(10):
            ts = 1_000_000 + second * 1_000
            if self.fails:
                raise FeedError("the disk is gone")
            if self.gap == second:
                yield nothing_until(ts)
            elif ts >= from_ts - 2_000:
                yield Played(ts, "A", None, b"a%d" % second)
                if second % 2 == 0:
                    yield Played(ts, "B", None, b"b%d" % second)

    def close(self) -> None:
        """Nothing is open."""


class Session:
    def __init__(self, order: ReplayOrder = ORDER, progress: ReplayProgress | None = None) -> None:
        self.clock = ManualClock(0)
        self.sent = Sent()
        self.source = Series()
        self.playback = Playback(order, progress or ReplayProgress(), lambda _: self.source, self.sent, self.clock)

    def after(self, seconds: float = 0.0) -> list[str]:
        """What is sent in a turn after so long."""
        self.clock.advance(seconds)
        self.playback.turn()
        return self.sent.names()

    def order(self, **changes: Any) -> None:
        order = self.playback.order
        changes.setdefault("revision", order.revision + 1)
        if "position_ts" in changes:
            changes["sought"] = changes["revision"]
        self.playback.order = msgspec.structs.replace(order, **changes)


def test_time_runs_at_its_speed_and_stands_while_paused() -> None:
    timeline = Timeline(5_000, 10.0, speed=2.0)
    assert timeline.position(11.0) == 7_000
    timeline.change(11.0, speed=4.0, is_running=False)
    assert timeline.position(99.0) == 7_000
    timeline.change(100.0, speed=4.0, is_running=True)
    assert timeline.position(101.0) == 11_000
    timeline.move(3_000, 102.0)
    assert timeline.position(102.5) == 5_000


def test_messages_are_sent_when_they_are_due() -> None:
    session = Session()
    assert session.after() == ["a0", "b0"]
    assert session.after(0.9) == []
    assert session.after(0.2) == ["a1"]
    session.order(speed=10.0)
    assert session.after() == []
    assert session.after(0.2) == ["a2", "b2", "a3"]
    assert session.after(5.0) == ["a4", "b4", "a5", "a6", "b6", "a7", "a8", "b8", "a9"]
    assert session.sent.said[-1].state == "ended"
    assert session.sent.said[-1].position_ts == 1_009_000


def test_sought_it_shows_every_series_and_goes_on_from_there() -> None:
    session = Session()
    session.after()
    session.order(paused=True, position_ts=1_005_500)
    assert session.after() == ["b4", "a5"]
    assert session.after(10.0) == []
    assert session.sent.said[-1].state == "paused"
    session.order(position_ts=1_002_000)
    assert session.after() == ["a2", "b2"]
    session.order(paused=False)
    assert session.after() == []
    assert session.after(1.0) == ["a3"]
    session.order(position_ts=0)
    assert session.after() == ["a0", "b0"]


def test_numbers_rise_whichever_way_it_is_sought() -> None:
    session = Session()
    session.playback.turn()
    for position in (1_008_000, 1_001_000, 1_001_000):
        session.order(position_ts=position)
        session.playback.turn()
    numbers = [item.source_seq for item in session.sent.messages if item.product == "A"]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 4


def test_without_room_its_time_waits_and_nothing_is_left_out() -> None:
    session = Session(msgspec.structs.replace(ORDER, speed=1_000.0))
    session.sent.free = 2
    assert session.after() == ["a0", "b0"]
    assert session.after(1.0) == ["a1", "a2"]
    session.sent.free = 0
    assert session.after(1.0) == []
    assert session.sent.said[-1].position_ts == 1_002_000
    session.sent.free = 100
    assert session.after(1.0) == ["b2", "a3", "a4", "b4", "a5", "a6", "b6", "a7", "a8", "b8", "a9"]


def test_it_ends_where_its_owner_said() -> None:
    session = Session(msgspec.structs.replace(ORDER, from_ts=1_002_500, to_ts=1_004_500))
    assert session.after() == ["a2", "b2"]
    assert session.after(60.0) == ["a3", "a4", "b4"]
    assert session.sent.said[-1].state == "ended"


def test_the_next_player_goes_on_where_the_last_one_was() -> None:
    progress = ReplayProgress(state="playing", revision=3, position_ts=1_004_200, messages=9)
    session = Session(msgspec.structs.replace(ORDER, revision=3, sought=2, position_ts=1_001_000), progress)
    assert session.after() == ["a4", "b4"]
    assert session.after(1.0) == ["a5"]
    assert session.sent.progress.messages == 12
    # An order that the last one never saw is followed.
    session = Session(msgspec.structs.replace(ORDER, revision=4, sought=4, position_ts=1_001_000), progress)
    assert session.after() == ["b0", "a1"]


def test_a_source_that_fails_is_said_and_tried_again() -> None:
    session = Session()
    session.source.fails = True
    assert session.after() == []
    assert (session.sent.said[-1].state, session.sent.said[-1].detail) == ("failed", "the disk is gone")
    assert session.sent.progress.position_ts is None
    session.source.fails = False
    assert session.after(RETRY_SECONDS / 2) == []
    assert session.after(RETRY_SECONDS) == ["a0", "b0"]
    assert session.sent.said[-1].state == "playing"
    session.order(position_ts=1_060_000)
    assert session.after() == []
    assert "nothing to play after" in str(session.sent.said[-1].detail)
    session.order(position_ts=1_008_000)
    assert session.after() == ["a8", "b8"]


def test_what_is_not_known_yet_is_waited_for() -> None:
    session = Session()
    session.source.gap = 2
    assert session.after() == ["a0", "b0"]
    assert session.after(9.0) == ["a1"]
    assert session.sent.said[-1].position_ts == 1_002_000
    assert session.after(1.0) == ["a3"]


def test_where_it_is_is_said_once_a_second_and_at_every_change() -> None:
    session = Session()
    for _ in range(20):
        session.after(0.1)
    assert len(session.sent.said) == 2
    session.order(paused=True)
    session.after(0.1)
    assert [status.state for status in session.sent.said] == ["playing", "playing", "paused"]


# --- what is played ------------------------------------------------------------------------


def test_a_recording_is_played_from_shortly_before_the_instant(tmp_path: Path) -> None:
    path = tmp_path / "minute.rec"
    record(path, ["NIFTY", "SPY"], ticks=60)
    source = RecordingSource(path, {"SPY"})
    assert (source.first_ts, source.last_ts) == (START_MS, START_MS + 59_000)
    found = list(source.entries(START_MS + 50_000))
    assert {entry.product for entry in found} == {"SPY"}
    assert [entry.ts for entry in found if entry.expiry is None] == [START_MS + 1_000 * n for n in range(40, 60)]
    source.close()


def test_a_folder_lists_what_can_be_played_and_opens_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "golden.rec").write_bytes(RECORDING.read_bytes())
    (folder / "broken.rec").write_bytes(RECORDING.read_bytes()[:60])
    (folder / "notes.txt").write_text("nothing to play")
    (folder / "captures").mkdir()
    (folder / "captures" / "one.json").write_text("{}")
    (tmp_path / "outside.rec").write_bytes(RECORDING.read_bytes())
    found = Folder(folder)
    listed = {item.name: (item.kind, item.last_ts) for item in found.recordings()}
    assert listed == {"golden.rec": ("recording", START_MS + (TICKS - 1) * 1_000), "captures": ("capture", None)}
    found.open("golden.rec", ()).close()
    for name in ("broken.rec", "notes.txt", "../outside.rec", "missing.rec"):
        with pytest.raises(FeedError, match="there is no recording"):
            found.open(name, ())
    with pytest.raises(FeedError, match="records"):
        found.open("captures", ())
    assert Folder(None).recordings() == []


def test_a_stored_chain_is_what_its_snapshot_was() -> None:
    source = RecordingSource(RECORDING, ())
    messages = [entry.message for entry in source.entries(START_MS) if entry.expiry is not None]
    source.close()
    for message in messages[:8]:
        [made] = enrich_records([read_chain(message)], computed_ts=0)
        assert snapshot(msgspec.json.decode(made.data, type=EnrichedChain)) == decode_chain(message)


def test_recorded_ticks_are_played_unchanged() -> None:
    source = RecordingSource(RECORDING, ())
    ticks = [decode_tick(entry.message) for entry in source.entries(START_MS) if entry.expiry is None]
    source.close()
    assert [tick.source_ts for tick in ticks] == [START_MS + 1_000 * n for n in range(TICKS)]
    assert {tick.origin for tick in ticks} == {"synthetic"}
