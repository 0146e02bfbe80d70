"""The truth file: what is really behind each published synthetic chain, as JSON lines."""

from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec

from aro.runtime.logs import get_logger

log = get_logger(__name__)


class TruthFile:
    """Appends to `path`. A disk that is full costs the truth, not the feed."""

    def __init__(self, path: Path) -> None:
        """Raises OSError if the file cannot be opened at all."""
        # Unbuffered: nothing is left behind that closing would still have to write.
        self._file: FileIO | None = path.open("ab", buffering=0)

    def write(self, truths: Sequence[Mapping[str, Any]]) -> None:
        if self._file is None:
            return
        try:
            self._file.write(b"".join(msgspec.json.encode(truth) + b"\n" for truth in truths))
        except OSError as error:
            log.error("truth file given up", cause=error.strerror)
            self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
