"""The load client must notice whatever a server does wrong: a benchmark whose clients are blind proves nothing."""

import socket
from collections.abc import Iterator
from itertools import pairwise

import pytest
from crowd import Broken, Crowd, Feed
from frames import TEXT, Dialect, frame, gateway, message, split, stock
from hypothesis import given, settings
from hypothesis import strategies as st

CHANNEL = "chain:NIFTY:2030-01-31"
MESSAGES = 4
OURS = gateway(CHANNEL, "e1", "token", 0, b"{}")


class Line:
    """One client whose server is the test."""

    def __init__(self, dialect: Dialect, size: int = 200) -> None:
        self.server, client = socket.socketpair()
        self.feed = Feed(dialect, lambda n: message(n, size, 1_700_000_000_000), first=1)
        self.crowd = Crowd(dialect, self.feed)
        self.crowd.add(client, 1)
        for _ in range(MESSAGES):
            self.feed.publish(0)
        self.frames = [self.feed.frames[n] for n in range(1, MESSAGES + 1)]

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.server.sendall(part)
            self.crowd.turn(0)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()
        self.crowd.leave()


@pytest.fixture(params=[stock(), OURS], ids=["stock", "ours"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    with Line(request.param) as line:
        yield line


@pytest.fixture
def ours() -> Iterator[Line]:
    with Line(OURS) as line:
        yield line


def heartbeat(seq: int) -> bytes:
    return frame(b'42/v1,["heartbeat",{"server_ts":1,"channels":{"%s":%d}}]' % (CHANNEL.encode(), seq))


def test_messages_count_one_by_one_and_several_at_once(line: Line):
    line.send(line.frames[0], b"".join(line.frames[1:]))
    assert (line.crowd.delivered, line.crowd.skipped, line.crowd.behind) == (MESSAGES, 0, 0)


@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_it_does_not_matter_where_reads_cut(data: st.DataObject):
    with Line(stock(), size=300) as line:
        stream = b"".join((line.frames[0], frame(b"2"), *line.frames[1:]))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
        line.send(*(stream[a:b] for a, b in pairwise([0, *cuts, len(stream)]) if b > a))
        assert line.crowd.delivered == MESSAGES
        assert line.server.recv(99) == b"\x81\x81\0\0\0\x003"


@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_no_changed_byte_goes_unnoticed(data: st.DataObject):
    with Line(data.draw(st.sampled_from([stock(), OURS]))) as line:
        stream = bytearray(b"".join(line.frames))
        stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(1, 255))
        try:
            line.send(bytes(stream))
        except Broken:
            return
        # A changed length lets it wait for more, and that is missing in the end.
        assert line.crowd.behind > 0


def test_a_changed_byte_of_a_message_is_named(line: Line):
    changed = line.frames[1][:-30] + b"#" + line.frames[1][-29:]
    with pytest.raises(Broken) as broken:
        line.send(line.frames[0] + changed)
    assert broken.value.kind == "corrupt"


@pytest.mark.parametrize(
    ("order", "kind"),
    [((0, 2), "hole"), ((1,), "hole"), ((0, 0), "reordered"), ((0, 1, 0), "reordered"), ((1, 0), "hole")],
)
def test_holes_and_disorder(line: Line, order: tuple[int, ...], kind: str):
    with pytest.raises(Broken) as broken:
        line.send(b"".join(line.frames[index] for index in order))
    assert broken.value.kind == kind


def test_what_was_never_published_is_not_counted(line: Line):
    with pytest.raises(Broken) as broken:
        line.send(*line.frames, line.frames[-1])
    assert broken.value.kind == "reordered"
    with pytest.raises(Broken) as broken:
        line.send(frame(b'42["other",{}]'))
    assert broken.value.kind == "foreign"


def test_a_snapshot_in_place_of_several_messages_is_one_delivered_and_the_others_skipped(ours: Line):
    whole = ours.feed.instead(3)
    assert whole is not None
    ours.send(ours.frames[0], whole, ours.frames[3])
    assert (ours.crowd.delivered, ours.crowd.skipped, ours.crowd.behind) == (3, 1, 0)


def test_a_snapshot_is_compared_too(ours: Line):
    whole = ours.feed.instead(3)
    assert whole is not None
    with pytest.raises(Broken) as broken:
        ours.send(whole[:-20] + b"#" + whole[-19:])
    assert broken.value.kind == "corrupt"


def test_a_heartbeat_may_not_promise_what_did_not_come(ours: Line):
    ours.send(heartbeat(0), ours.frames[0], heartbeat(1))
    assert ours.crowd.controls == 2
    with pytest.raises(Broken) as broken:
        ours.send(heartbeat(2))
    assert broken.value.kind == "hole"


def test_an_end_is_an_error(line: Line):
    line.server.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Broken) as broken:
        line.crowd.turn(1)
    assert broken.value.kind == "closed"


@pytest.mark.parametrize("size", [64, 125, 126, 65_535, 65_536])
def test_frames_of_every_length_form(size: int):
    payload = message(12, size, 1)
    assert len(payload) == size
    assert split(frame(payload) + b"rest", 0) == (TEXT, payload, len(frame(payload)))
    assert split(frame(payload)[:-1], 0) is None
