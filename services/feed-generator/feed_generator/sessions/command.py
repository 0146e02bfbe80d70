"""``python -m feed_generator replay``: plays the sessions that users order."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aro.adapters import mongo, redis_client
from aro.adapters.clock import Clock, SystemClock
from aro.adapters.mongo import MongoDatabase
from aro.contracts.replays import ReplayOrder
from aro.runtime.health import Health
from aro.runtime.logs import configure_logs, get_logger
from aro.runtime.operations import serve_operations
from aro.runtime.settings import load
from aro.runtime.vitals import reporter
from feed_generator.sessions.history import HistorySource
from feed_generator.sessions.playback import Open
from feed_generator.sessions.player import Player
from feed_generator.sessions.sources import Folder, Source
from feed_generator.settings import ReplaySettings

log = get_logger(__name__)

REPLAY: Final = "replay"
REDIS_SECONDS: Final = 2.0
HUNG_SECONDS: Final = 10.0


def play(environ: Mapping[str, str], stop: threading.Event) -> None:
    """Until `stop`. Raises `SettingsError`, or OSError when the port is taken or the folder is not there."""
    settings = load(ReplaySettings, environ)
    configure_logs(
        "feed-replay", level=settings.log_level, ship_to=settings.redis_url if settings.log_shipping else None
    )
    clock = SystemClock()
    folder = Folder(None if settings.directory is None else Path(settings.directory))
    folder.recordings()
    client = redis_client.connect(settings.redis_url, timeout=REDIS_SECONDS)
    database = mongo.connect(settings.mongo_url, settings.mongo_database)
    player = Player(client, opener(folder, database, clock), folder, clock, idle_seconds=settings.idle_seconds)
    probe = redis_client.connect(settings.redis_url, timeout=REDIS_SECONDS)

    def reach_redis() -> None:
        probe.ping()

    def turning() -> None:
        if clock.monotonic() - player.last_turn > HUNG_SECONDS:
            raise TimeoutError("the player does not turn")

    health = Health(ready={"redis": reach_redis}, alive={"player": turning})
    server = serve_operations("feed-replay", host=settings.host, port=settings.operations_port, health=health)
    reporter(settings.redis_url, "feed-replay").start()
    log.info("playing sessions", folder=settings.directory)
    player.run(stop)
    server.shutdown()
    log.info("stopped")


def opener(folder: Folder, database: MongoDatabase, clock: Clock) -> Open:
    """Opens what an order names."""

    def open_source(order: ReplayOrder) -> Source:
        if order.recording is None:
            return HistorySource(database, clock, order.products, last_ts=order.to_ts)
        return folder.open(order.recording, order.products)

    return open_source
