"""Writes recordings, block by block, so that an end at any moment costs the block in the making."""

from io import FileIO
from pathlib import Path
from typing import Final

from feed_generator.recording.codec import Recorded, encode_block, file_head

MOST_SECONDS: Final = 10.0
MOST_BYTES: Final = 8 << 20
"""Of messages in one block: about ten seconds of the default feed, one of the whole NSE's."""


class RecordingWriter:
    """A new file at `path`. Raises OSError, FileExistsError among them: nothing is overwritten."""

    def __init__(self, path: Path) -> None:
        # Unbuffered: a block is handed to the system as a whole, or its end is missing.
        self._file: FileIO = path.open("xb", buffering=0)
        self._entries: list[Recorded] = []
        self._waiting = 0
        self._since = 0.0
        self.written = self._put(file_head())
        self.messages = 0

    def add(self, entry: Recorded, now: float) -> None:
        """`now` is a monotonic clock's. Raises OSError when the disk is full."""
        if not self._entries:
            self._since = now
        self._entries.append(entry)
        self._waiting += len(entry.message)
        if self._waiting >= MOST_BYTES:
            self.flush()

    def flush_if_due(self, now: float) -> None:
        if self._entries and now - self._since >= MOST_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what waits as a block."""
        if self._entries:
            self.written += self._put(encode_block(self._entries))
            self.messages += len(self._entries)
            self._entries, self._waiting = [], 0

    def close(self) -> None:
        try:
            self.flush()
        finally:
            self._file.close()

    def _put(self, data: bytes) -> int:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        return len(data)
