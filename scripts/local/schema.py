"""The collections of the embedded MongoDB, made before anybody writes.

SecantusDB 0.7 hangs for ever when one connection creates a collection while another inserts the first document into
it: the insert holds its transaction and waits for the server's lock, whose holder waits for that transaction.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

from aro.contracts import names
from local.home import Home
from local.processes import MARK
from local.programs import environment
from local.settings import LocalSettings

COLLECTIONS: Final = sorted(value for name, value in vars(names).items() if name.startswith("COLLECTION_"))
_SECONDS: Final = 60.0


class SchemaError(Exception):
    """The collections could not be made; the text is for a person."""


def is_made(state: Mapping[str, Any] | None, settings: LocalSettings) -> bool:
    """Whether everybody may start at once: `state` is of the last start. A MongoDB of one's own needs no such care."""
    return settings.mongo_url is not None or (state is not None and state.get("collections") == COLLECTIONS)


def make(home: Home, settings: LocalSettings) -> str:
    """Bring the database to this program's schema; MongoDB must answer. What the command says, in one line."""
    result = subprocess.run(
        [sys.executable, "-m", "storage_service", "migrate"],
        env={**os.environ, **environment(home, settings, home.redis_password()), MARK: str(home.path)},
        cwd=home.run,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        raise SchemaError((result.stderr or result.stdout).strip() or f"migrate ended with {result.returncode}")
    return f"{len(COLLECTIONS)} collections"
