"""``record`` beside a running ledger, and its file played back: the same messages, on a real Redis."""

import os
import signal
import sys
import threading

import pytest

from aro.adapters.clock import SystemClock
from aro.adapters.ledger import Ledger
from aro.contracts.codec import decode_chain, decode_tick
from aro.contracts.names import FIELD_MESSAGE, LEDGER_STREAMS, STREAM_CHAINS, STREAM_TICKS
from aro.testing.eventually import eventually
from aro.testing.servers import Process, free_port
from feed_generator.recording.reader import Recording
from feed_generator.recording.recorder import Recorder
from feed_generator.recording.writer import RecordingWriter


@pytest.fixture
def start(redis_server, tmp_path):
    running = []

    def start_one(*options):
        environ = {**os.environ, "ARO_REDIS_URL": redis_server.url, "ARO_OPERATIONS_PORT": str(free_port())}
        command = [sys.executable, "-m", "feed_generator", *options]
        process = Process(command, tmp_path / f"feed{len(running)}.log", environ=environ)
        process.start()
        running.append(process)
        return process

    yield start_one
    for process in running:
        process.kill()


def raw(client, stream):
    return [fields[FIELD_MESSAGE.encode()] for _, fields in client.xrange(stream)]


def substance(message):
    """What a replay leaves as it was."""
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    for stamp in ("source_seq", "source_ts", "origin"):
        fields.pop(stamp)
    if "expiry_ts" in fields:
        fields["expiry_ts"] -= message.source_ts
    return fields


def test_what_is_recorded_is_what_was_published_and_replays_as_such(start, redis_client, tmp_path):
    path = tmp_path / "run.rec"
    recorder = start("record", "--out", str(path))
    eventually(lambda: '"recording"' in recorder.output(), "the recorder", seconds=20)
    feed = start("--products", "NIFTY,SPY", "--interval", "0.1", "--seed", "3")
    eventually(lambda: redis_client.xlen(STREAM_TICKS) >= 20, "ticks", seconds=20)
    feed.signal(signal.SIGTERM)
    eventually(lambda: not feed.is_running, "the feed's end", seconds=10)
    recorder.signal(signal.SIGTERM)
    eventually(lambda: not recorder.is_running, "the recorder's end", seconds=10)
    assert ", 0 missed" in recorder.output()

    recording = Recording(path)
    found = list(recording.entries())
    recording.close()
    published = {stream: raw(redis_client, stream) for stream in LEDGER_STREAMS}
    for stream in LEDGER_STREAMS:
        assert [entry.message for entry in found if entry.stream == stream] == published[stream]

    redis_client.delete(*LEDGER_STREAMS)
    start("--replay", str(path), "--speed", "4", "--interval", "0.1")
    eventually(
        lambda: all(redis_client.xlen(stream) >= len(published[stream]) for stream in LEDGER_STREAMS),
        "the whole replay",
        seconds=20,
    )
    for stream, decode in ((STREAM_TICKS, decode_tick), (STREAM_CHAINS, decode_chain)):
        replayed = [decode(message) for message in raw(redis_client, stream)]
        assert {message.origin for message in replayed} == {"replay"}
        assert [substance(m) for m in replayed] == [substance(decode(m)) for m in published[stream]]


def test_what_left_the_ledger_unread_is_counted(redis_client, tmp_path):
    ledger = Ledger(redis_client)
    ledger.append([(STREAM_TICKS, b"before")])
    recorder = Recorder(redis_client, RecordingWriter(tmp_path / "late.rec"), SystemClock())
    ledger.append([(STREAM_TICKS, b"gone"), (STREAM_TICKS, b"gone too")])
    redis_client.xtrim(STREAM_TICKS, maxlen=0)
    ledger.append([(STREAM_TICKS, b"read"), (STREAM_CHAINS, b"read too")])
    stop = threading.Event()
    stop.set()
    summary = recorder.run(stop)
    assert (summary.messages, summary.missed) == (2, 2)
    recording = Recording(tmp_path / "late.rec")
    assert [entry.message for entry in recording.entries()] == [b"read", b"read too"]
    recording.close()


def test_an_existing_file_is_one_line_and_exit_code_2(start, tmp_path):
    path = tmp_path / "mine.rec"
    path.write_bytes(b"mine")
    recorder = start("record", "--out", str(path))
    eventually(lambda: not recorder.is_running, "the recorder's end", seconds=20)
    assert "cannot start: [Errno 17] File exists" in recorder.output()
    assert path.read_bytes() == b"mine"
