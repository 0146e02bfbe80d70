"""What is kept for how long."""

from aro.adapters.bar_store import BarStore
from aro.adapters.chain_store import ChainStore
from aro.adapters.iv_history_store import IvHistoryStore
from aro.adapters.mongo import MongoDatabase
from aro.adapters.presence import LOOK_BACK_HOURS, expire_presence
from aro.adapters.surface_store import SurfaceStore
from aro.adapters.tick_store import TickStore
from storage_service.settings import StorageSettings


class Retention:
    """One per process: its chain store knows what was swept a moment ago."""

    def __init__(self, settings: StorageSettings, database: MongoDatabase) -> None:
        self._settings = settings
        self._database = database
        self._chains = ChainStore(database)
        self._ticks = TickStore(database)
        self._iv_history = IvHistoryStore(database)
        self._surfaces = SurfaceStore(database)
        self._bars = BarStore(database)

    def expire(self, now_ms: int) -> int:
        """Delete what is not kept any longer; how many documents. Raises `MongoError`."""
        of = self._settings
        return (
            self._chains.expire(
                now_ms=now_ms, chain_hours=of.chain_retention_hours, metrics_days=of.metrics_retention_days
            )
            + self._ticks.expire(now_ms=now_ms, days=of.tick_retention_days)
            + self._iv_history.expire(now_ms=now_ms, days=of.iv_history_retention_days)
            + self._surfaces.expire(now_ms=now_ms, hours=of.surface_retention_hours)
            + self._bars.expire(now_ms=now_ms, days=of.bar_retention_days)
            + expire_presence(self._database, now_ms=now_ms, days=max(LOOK_BACK_HOURS / 24, of.metrics_retention_days))
        )
