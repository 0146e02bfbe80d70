"""SecantusDB as a process that ends when its storage engine gives up: ``python -m aro.adapters.embedded_mongo …``.

On a full disk WiredTiger panics and says that the process must exit and restart. mongod does so; SecantusDB 0.7 goes
on, answers pings, and refuses everything else for ever. Whoever started the process starts it again.
"""

import contextlib
import logging
import os
import sys
from typing import Final

PANIC: Final = "WT_PANIC"
EXIT_CODE: Final = 70


class EndOnPanic(logging.Handler):
    """Ends the process at the first logged error that is a panic of the storage engine."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and PANIC in str(error):
            with contextlib.suppress(OSError):  # its log may be on the disk that is full
                sys.stderr.write(f"the storage engine gave up: {error}\n")
                sys.stderr.flush()
            # Nothing is left to close: the engine takes no calls any more, and its journal has what it acknowledged.
            os._exit(EXIT_CODE)


def main() -> int:
    from secantus import cli

    logging.getLogger("secantus").addHandler(EndOnPanic())
    return int(cli.main() or 0)


if __name__ == "__main__":
    sys.exit(main())
