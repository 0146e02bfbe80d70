"""Wires the feed and runs it until it is told to stop."""

import threading
from pathlib import Path
from typing import Final

import redis

from aro.adapters import redis_client
from aro.adapters.clock import Clock, SystemClock
from aro.runtime.health import Health
from aro.runtime.logs import get_logger
from aro.runtime.operations import serve_operations
from aro.runtime.vitals import reporter
from feed_generator import metrics
from feed_generator.continuity import last_prices
from feed_generator.feed import Feed
from feed_generator.numbering import SequenceStore, SourceSequences
from feed_generator.outbox import Outbox
from feed_generator.pace import Pace
from feed_generator.provider import FeedError, Provider
from feed_generator.recording.codec import RecordingError
from feed_generator.recording.provider import RecordingProvider
from feed_generator.recording.reader import Recording, looks_recorded
from feed_generator.replay.provider import ReplayProvider, read_captures
from feed_generator.sender import Sender
from feed_generator.settings import FeedSettings
from feed_generator.synthetic.markets import universe_names
from feed_generator.synthetic.provider import SyntheticProvider
from feed_generator.truth import TruthFile

log = get_logger(__name__)

REDIS_SECONDS: Final = 1.0
"""Longest wait for one answer of Redis. It blocks the sender, never the tick loop."""
HUNG_SECONDS: Final = 10.0
TURN_SECONDS: Final = 0.15
"""The products of the synthetic market share the interval: a group of them ticks so often, each of them once in it.
All at once they would wait for one another all the way to clients."""


def create_provider(settings: FeedSettings) -> Provider:
    """Raises `FeedError` or `UnknownProduct` with one line that says what is wrong."""
    if settings.provider == "replay":
        if settings.file is None:
            raise FeedError("provider replay needs --file (ARO_FEED_FILE): a recording, a capture or a folder of them")
        return _replay(Path(settings.file), settings)
    return SyntheticProvider(
        settings.products or universe_names(settings.universe),
        seed=settings.seed,
        scenario=settings.scenario,
        exchange_hours=settings.hours == "exchange",
        with_truths=settings.truth is not None,
    )


def _replay(path: Path, settings: FeedSettings) -> Provider:
    """Raises `FeedError`."""
    speed, loop, start_ts = settings.speed, settings.loop, settings.start
    try:
        if looks_recorded(path):
            return RecordingProvider(Recording(path), settings.products, speed=speed, loop=loop, start_ts=start_ts)
    except RecordingError as error:
        raise FeedError(str(error)) from None
    return ReplayProvider(read_captures(path, settings.products), speed=speed, loop=loop, start_ts=start_ts)


def open_truth(settings: FeedSettings) -> TruthFile | None:
    """Raises `FeedError` if the file cannot be written."""
    if settings.truth is None:
        return None
    try:
        return TruthFile(Path(settings.truth))
    except OSError as error:
        raise FeedError(f"{settings.truth}: {error.strerror}") from None


class FeedService:
    """A running feed: the tick loop here, the sender in its own thread."""

    def __init__(self, settings: FeedSettings, provider: Provider, truth: TruthFile | None, clock: Clock) -> None:
        client = redis_client.connect(settings.redis_url, timeout=REDIS_SECONDS)
        self._redis = client
        self._settings = settings
        self._provider = provider
        self._truth = truth
        self._clock = clock
        self._store = SequenceStore(client)
        self._outbox = Outbox(settings.buffer)
        self._sender = Sender(client, self._store, self._outbox, clock, stream_cap=settings.stream_cap)
        self._sender_died = False
        self._last_tick = clock.monotonic()
        probe = redis_client.connect(settings.redis_url, timeout=REDIS_SECONDS)
        self.health = Health(ready={"redis": lambda: _ping(probe)}, alive={"ticks": self._ticking})

    def run(self, stop: threading.Event) -> None:
        sequences = self._load_sequences(stop)
        if isinstance(self._provider, SyntheticProvider) and not stop.is_set():
            self._provider.start_from(self._last_prices(self._provider))
        drain = threading.Event()
        sending = threading.Thread(target=self._send, args=(stop, drain), name="sender", daemon=True)
        sending.start()
        feed = Feed(self._provider, sequences, self._outbox, self._truth)
        pace = Pace(self._settings.interval / self._take_turns(), self._clock)
        while not stop.is_set():
            self._last_tick = self._clock.monotonic()
            feed.tick(self._clock.now_ms())
            metrics.skipped.inc(pace.wait(stop))
        drain.set()
        sending.join(HUNG_SECONDS)
        if self._sender_died:
            raise RuntimeError("the sender died; see its traceback")

    def _take_turns(self) -> int:
        if not isinstance(self._provider, SyntheticProvider):
            return 1
        return self._provider.take_turns(int(self._settings.interval / TURN_SECONDS))

    def _load_sequences(self, stop: threading.Event) -> SourceSequences:
        """Without the last numbers nothing may be numbered, so this waits for Redis."""
        while not stop.is_set():
            self._last_tick = self._clock.monotonic()
            try:
                return SourceSequences(self._store.load())
            except (redis_client.RedisError, OSError) as error:
                log.warning("waiting for redis", cause=type(error).__name__)
                stop.wait(REDIS_SECONDS)
        return SourceSequences({})

    def _last_prices(self, provider: SyntheticProvider) -> dict[str, float]:
        """Where a market of before was last seen; a Redis that goes away just now only costs that."""
        try:
            return last_prices(self._redis, provider.names)
        except (redis_client.RedisError, OSError) as error:
            log.warning("starting from reference levels", cause=type(error).__name__)
            return {}

    def _send(self, stop: threading.Event, drain: threading.Event) -> None:
        # A sender that dies of a defect must not leave a feed that looks alive.
        self._sender_died = True
        try:
            self._sender.run(drain)
            self._sender_died = False
        finally:
            stop.set()

    def _ticking(self) -> None:
        now = self._clock.monotonic()
        if now - min(self._last_tick, self._sender.last_turn) > HUNG_SECONDS + self._settings.interval:
            raise TimeoutError("the feed does not tick")


def _ping(client: redis.Redis) -> None:
    client.ping()


def run(settings: FeedSettings, stop: threading.Event) -> None:
    """Until `stop`. Raises `FeedError`, `UnknownProduct`, or OSError when the port is taken."""
    provider = create_provider(settings)
    truth = open_truth(settings)
    service = FeedService(settings, provider, truth, SystemClock())
    server = serve_operations(
        "feed-generator", host=settings.host, port=settings.operations_port, health=service.health
    )
    reporter(settings.redis_url, "feed-generator").start()
    log.info("feeding", provider=settings.provider, interval=settings.interval)
    service.run(stop)
    server.shutdown()
    if truth is not None:
        truth.close()
    log.info("stopped")
