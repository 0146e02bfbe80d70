"""The command line of ``record``."""

import argparse
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from aro.adapters import redis_client
from aro.adapters.clock import SystemClock
from aro.runtime.logs import configure_logs, get_logger
from aro.runtime.settings import load
from feed_generator.provider import FeedError
from feed_generator.recording.recorder import Recorder, Summary
from feed_generator.recording.writer import RecordingWriter
from feed_generator.settings import RecordSettings

log = get_logger(__name__)

RECORD: Final = "record"


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog=f"python -m feed_generator {RECORD}", description="Record the ledger.")
    result.add_argument("--out", metavar="FILE", type=Path, required=True, help="new file; none is overwritten")
    result.add_argument("--seconds", metavar="N", type=float, help="end after this time (without: on SIGTERM, SIGINT)")
    return result


def record(arguments: Sequence[str], environ: Mapping[str, str], stop: threading.Event) -> Summary:
    """Until `stop`. Raises `SettingsError`, `FeedError` when Redis goes away, and OSError; what was written stays."""
    options = parser().parse_args(arguments)
    settings = load(RecordSettings, environ)
    writer = RecordingWriter(options.out)
    configure_logs("feed-generator", level=settings.log_level)
    try:
        recorder = Recorder(redis_client.connect(settings.redis_url), writer, SystemClock())
        log.info("recording", file=str(options.out))
        return recorder.run(stop, options.seconds)
    except redis_client.RedisError as error:
        raise FeedError(f"the recording ended because Redis is away: {type(error).__name__}") from None
