"""The form of a recording: heads with checksums around compressed blocks of messages. See README.md."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from backports import zstd

from aro.contracts.names import LEDGER_STREAMS

VERSION: Final = 1
LEVEL: Final = 9
"""Of compression: a tenth smaller than level 3 for 4 ms instead of 1 ms per second of the default feed."""
MAX_BLOCK_BYTES: Final = 64 << 20
"""Decompressed; a writer stays far below, and what claims more is damaged."""

_MAGIC: Final = b"ARORECRD"
_BLOCK: Final = b"BLCK"
_FILE_HEAD: Final = struct.Struct("<8sHHI")
_BLOCK_HEAD: Final = struct.Struct("<4sIIIqqI")
_CHECK: Final = struct.Struct("<I")
_ENTRY: Final = struct.Struct("<BIq")

FILE_HEAD_BYTES: Final = _FILE_HEAD.size
BLOCK_HEAD_BYTES: Final = _BLOCK_HEAD.size + _CHECK.size


class RecordingError(Exception):
    """Not a recording, or none that this version reads. The text is one line for a person."""


class Damaged(Exception):
    """A head or body that is not what was written."""


class Recorded(NamedTuple):
    """A message of `stream` that Redis took at `ts` (UTC epoch milliseconds)."""

    stream: str
    ts: int
    message: bytes


class BlockHead(NamedTuple):
    body_bytes: int
    raw_bytes: int
    messages: int
    first_ts: int
    last_ts: int
    checksum: int


def file_head() -> bytes:
    start = _FILE_HEAD.pack(_MAGIC, VERSION, 0, 0)[:-4]
    return start + _CHECK.pack(zlib.crc32(start))


def is_recording(start: bytes) -> bool:
    """Whether a file that begins with `start` means to be one."""
    return start[: len(_MAGIC)] == _MAGIC


def check_file_head(data: bytes) -> None:
    """Raises `RecordingError`."""
    if len(data) < FILE_HEAD_BYTES or not is_recording(data):
        raise RecordingError("not a recording")
    _, version, _, checksum = _FILE_HEAD.unpack(data)
    if checksum != zlib.crc32(data[:-4]):
        raise RecordingError("the head of the recording is damaged")
    if version != VERSION:
        raise RecordingError(f"a recording of version {version}; this program reads {VERSION}")


def encode_block(entries: Sequence[Recorded]) -> bytes:
    """Head and body of at least one entry. Raises KeyError for a stream that is none of the ledger's."""
    numbers = {stream: number for number, stream in enumerate(LEDGER_STREAMS)}
    raw = b"".join(_ENTRY.pack(numbers[stream], len(message), ts) + message for stream, ts, message in entries)
    body = zstd.compress(raw, level=LEVEL)
    times = [entry.ts for entry in entries]
    head = _BLOCK_HEAD.pack(_BLOCK, len(body), len(raw), len(entries), min(times), max(times), zlib.crc32(body))
    return head + _CHECK.pack(zlib.crc32(head)) + body


def decode_head(data: bytes) -> BlockHead:
    """Raises `Damaged`."""
    if len(data) < BLOCK_HEAD_BYTES or zlib.crc32(data[:-4]) != _CHECK.unpack(data[-4:])[0]:
        raise Damaged("block head")
    magic, *fields = _BLOCK_HEAD.unpack(data[:-4])
    head = BlockHead(*fields)
    if magic != _BLOCK or head.raw_bytes > MAX_BLOCK_BYTES:
        raise Damaged("block head")
    return head


def decode_body(head: BlockHead, body: bytes) -> list[Recorded]:
    """Raises `Damaged`."""
    if zlib.crc32(body) != head.checksum:
        raise Damaged("block body")
    decompressor = zstd.ZstdDecompressor()
    try:
        raw = decompressor.decompress(body, max_length=head.raw_bytes)
        entries = list(_entries(raw))
    except (zstd.ZstdError, struct.error, IndexError) as error:
        raise Damaged("block body") from error
    if len(raw) != head.raw_bytes or len(entries) != head.messages:
        raise Damaged("block body")
    return entries


def _entries(raw: bytes) -> Iterator[Recorded]:
    at = 0
    while at < len(raw):
        stream, size, ts = _ENTRY.unpack_from(raw, at)
        at += _ENTRY.size + size
        if at > len(raw):
            raise IndexError(at)
        yield Recorded(LEDGER_STREAMS[stream], ts, raw[at - size : at])
