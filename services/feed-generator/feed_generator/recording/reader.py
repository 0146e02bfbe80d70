"""Reads recordings: the heads once, as an index, then one block at a time."""

import os
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, NamedTuple

from aro.runtime.logs import get_logger
from feed_generator.recording.codec import (
    BLOCK_HEAD_BYTES,
    FILE_HEAD_BYTES,
    BlockHead,
    Damaged,
    Recorded,
    RecordingError,
    check_file_head,
    decode_body,
    decode_head,
    is_recording,
)

log = get_logger(__name__)


class Place(NamedTuple):
    """Where the body of a block is."""

    at: int
    head: BlockHead


def looks_recorded(path: Path) -> bool:
    """Whether `path` is a file that means to be a recording. Raises OSError."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return is_recording(file.read(FILE_HEAD_BYTES))


class Recording:
    """An open recording.

    Attributes
    ----------
    blocks : the whole ones, in the order of the file.
    lost_bytes : at the end of the file, of a block that is not whole, or of all from a damaged head on.

    Raises `RecordingError` for what is none or holds no message, and OSError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb", buffering=0)
        try:
            check_file_head(self._file.read(FILE_HEAD_BYTES))
            self.blocks, self.lost_bytes = _index(self._file)
            if not self.blocks:
                raise RecordingError("the recording holds no whole block")
        except RecordingError as error:
            self._file.close()
            raise RecordingError(f"{path}: {error}") from None
        if self.lost_bytes:
            log.warning("the recording's end is not whole and is left out", file=str(path), bytes=self.lost_bytes)
        self.first_ts = min(block.head.first_ts for block in self.blocks)
        self.last_ts = max(block.head.last_ts for block in self.blocks)
        self._reached = list(accumulate((block.head.last_ts for block in self.blocks), max))

    def entries(self, from_ts: int | None = None) -> Iterator[Recorded]:
        """In the order of the file, those from `from_ts` on. A damaged block is left out, and that is logged."""
        start = self.first_ts if from_ts is None else from_ts
        for block in self.blocks[bisect_left(self._reached, start) :]:
            try:
                found = decode_body(block.head, _read(self._file, block.at, block.head.body_bytes))
            except Damaged:
                log.warning(
                    "a damaged block of the recording is left out", file=str(self._path), messages=block.head.messages
                )
                continue
            yield from (entry for entry in found if entry.ts >= start)

    def close(self) -> None:
        self._file.close()


def _index(file: BinaryIO) -> tuple[list[Place], int]:
    """The whole blocks, and how many bytes follow them."""
    size = file.seek(0, os.SEEK_END)
    blocks: list[Place] = []
    at = FILE_HEAD_BYTES
    while at < size:
        try:
            head = decode_head(_read(file, at, BLOCK_HEAD_BYTES))
        except Damaged:
            break
        end = at + BLOCK_HEAD_BYTES + head.body_bytes
        if end > size:
            break
        blocks.append(Place(at + BLOCK_HEAD_BYTES, head))
        at = end
    return blocks, size - at


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    return os.pread(file.fileno(), count, at)
