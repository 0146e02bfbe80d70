"""Tells how MongoDB is, by the clock."""

import threading
from typing import Final

from aro.adapters.mongo import MongoDatabase
from aro.adapters.mongo_vitals import mongo_vitals
from storage_service import metrics

INTERVAL_SECONDS: Final = 2.0


class Vitals:
    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="vitals", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def take(self) -> None:
        """Set every gauge."""
        vitals = mongo_vitals(self._database)
        metrics.mongo_up.set(vitals.is_up)
        metrics.has_primary.set(vitals.has_primary)
        metrics.replication_lag.set(vitals.replication_lag)

    def _run(self) -> None:
        while True:
            self.take()
            if self._stopped.wait(INTERVAL_SECONDS):
                return
