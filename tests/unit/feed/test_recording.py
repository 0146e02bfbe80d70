"""The form of recordings: whatever happens to a file, what is read is what was written, and damage is told."""

import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aro.contracts.names import LEDGER_STREAMS, STREAM_CHAINS, STREAM_TICKS
from feed_generator.recording import writer as writing
from feed_generator.recording.codec import (
    BLOCK_HEAD_BYTES,
    FILE_HEAD_BYTES,
    Damaged,
    Recorded,
    RecordingError,
    decode_body,
    decode_head,
    encode_block,
    file_head,
)
from feed_generator.recording.reader import Recording, looks_recorded
from feed_generator.recording.writer import RecordingWriter

entries = st.builds(Recorded, st.sampled_from(LEDGER_STREAMS), st.integers(0, 2**53), st.binary(max_size=60))
blocks = st.lists(st.lists(entries, min_size=1, max_size=6), min_size=1, max_size=5)
on_files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)


def written(path, parts):
    path.write_bytes(file_head() + b"".join(encode_block(part) for part in parts))
    return path


def ends(parts):
    """Offset at which each block ends."""
    at, found = FILE_HEAD_BYTES, []
    for part in parts:
        at += len(encode_block(part))
        found.append(at)
    return found


@given(st.lists(entries, min_size=1, max_size=30))
def test_a_block_comes_back(part):
    data = encode_block(part)
    head = decode_head(data[:BLOCK_HEAD_BYTES])
    assert decode_body(head, data[BLOCK_HEAD_BYTES:]) == part
    assert (head.messages, head.first_ts, head.last_ts) == (
        len(part),
        min(entry.ts for entry in part),
        max(entry.ts for entry in part),
    )


@on_files
@given(blocks, st.data())
def test_a_file_cut_anywhere_is_read_up_to_its_last_whole_block(tmp_path, parts, data):
    path = written(tmp_path / "cut.rec", parts)
    cut = data.draw(st.integers(0, path.stat().st_size))
    path.write_bytes(path.read_bytes()[:cut])
    whole = [part for part, end in zip(parts, ends(parts), strict=True) if end <= cut]
    if not whole:
        with pytest.raises(RecordingError):
            Recording(path)
        return
    recording = Recording(path)
    assert list(recording.entries(0)) == [entry for part in whole for entry in part]
    assert recording.lost_bytes == cut - ends(parts)[len(whole) - 1]
    recording.close()


@on_files
@given(blocks, st.data())
def test_a_byte_changed_anywhere_costs_its_block_or_what_follows_and_nothing_is_invented(tmp_path, parts, data):
    path = written(tmp_path / "changed.rec", parts)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    hit = sum(end <= at for end in ends(parts))
    start = ([FILE_HEAD_BYTES, *ends(parts)])[hit]
    before = [entry for part in parts[:hit] for entry in part]
    after = [entry for part in parts[hit + 1 :] for entry in part]
    in_body = at >= start + BLOCK_HEAD_BYTES
    if at < FILE_HEAD_BYTES or (hit == 0 and not in_body):
        with pytest.raises(RecordingError):
            Recording(path)
        return
    recording = Recording(path)
    assert list(recording.entries(0)) == (before + after if in_body else before)
    assert bool(recording.lost_bytes) is not in_body
    recording.close()


@on_files
@given(st.lists(st.lists(entries, min_size=1, max_size=6), min_size=1, max_size=5), st.integers(0, 2**53))
def test_entries_from_an_instant_on_are_all_of_them(tmp_path, parts, start):
    recording = Recording(written(tmp_path / "from.rec", parts))
    assert list(recording.entries(start)) == [entry for part in parts for entry in part if entry.ts >= start]
    recording.close()


def test_a_newer_version_is_refused_by_name(tmp_path):
    head = bytearray(file_head())
    head[8] = 2
    head[-4:] = zlib.crc32(bytes(head[:-4])).to_bytes(4, "little")
    path = tmp_path / "new.rec"
    path.write_bytes(bytes(head))
    with pytest.raises(RecordingError, match="version 2; this program reads 1"):
        Recording(path)


def test_a_body_that_is_not_what_its_head_says_is_damage():
    first, second = encode_block([Recorded(STREAM_TICKS, 1, b"a")]), encode_block([Recorded(STREAM_TICKS, 1, b"b")])
    with pytest.raises(Damaged):
        decode_body(decode_head(first[:BLOCK_HEAD_BYTES]), second[BLOCK_HEAD_BYTES:])


def test_what_is_no_recording_is_told_apart(tmp_path):
    other = tmp_path / "capture.json"
    other.write_text("{}")
    assert not looks_recorded(other)
    assert not looks_recorded(tmp_path)
    with pytest.raises(RecordingError, match="not a recording"):
        Recording(other)


def test_the_writer_overwrites_nothing(tmp_path):
    path = tmp_path / "here.rec"
    path.write_bytes(b"x")
    with pytest.raises(FileExistsError):
        RecordingWriter(path)
    assert path.read_bytes() == b"x"


def test_blocks_end_by_age_and_by_size(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "MOST_BYTES", 100)
    writer = RecordingWriter(tmp_path / "blocks.rec")
    writer.add(Recorded(STREAM_CHAINS, 1, b"x" * 99), 0.0)
    writer.flush_if_due(9.9)
    assert writer.messages == 0
    writer.flush_if_due(10.0)
    assert writer.messages == 1
    writer.add(Recorded(STREAM_CHAINS, 2, b"x" * 100), 11.0)
    assert writer.messages == 2
    writer.add(Recorded(STREAM_CHAINS, 3, b"x"), 12.0)
    writer.close()
    recording = Recording(tmp_path / "blocks.rec")
    assert [block.head.messages for block in recording.blocks] == [1, 1, 1]
    assert writer.written == (tmp_path / "blocks.rec").stat().st_size
    recording.close()
