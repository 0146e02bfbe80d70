"""What the role beat, of which there is one, tells about Redis and about what waits in it."""

import threading
from typing import Final

from aro.adapters import redis_client
from aro.adapters.clock import Clock
from aro.adapters.dead_letters import DeadLetters
from aro.adapters.redis_client import RedisError
from aro.adapters.redis_vitals import oldest_owed_ms, redis_vitals
from aro.contracts.names import LEDGER_STREAMS, QUEUE_PERIODIC
from aro.runtime.logs import get_logger
from worker_enricher import vital_metrics as metrics
from worker_enricher.metrics import queue_length
from worker_enricher.settings import WorkerSettings

log = get_logger(__name__)

INTERVAL_SECONDS: Final = 2.0
TIMEOUT_SECONDS: Final = 1.0


class Vitals:
    def __init__(self, settings: WorkerSettings, clock: Clock) -> None:
        self._redis = redis_client.connect(settings.redis_url, timeout=TIMEOUT_SECONDS)
        self._broker = redis_client.connect(settings.broker_url, timeout=TIMEOUT_SECONDS)
        self._dead = DeadLetters(self._redis)
        self._clock = clock

    def start(self) -> None:
        threading.Thread(target=self._run, name="vitals", daemon=True).start()

    def take(self) -> None:
        """Set every gauge. With Redis away only `redis_up` changes."""
        try:
            self._measure_server()
            self._measure_backlog()
        except RedisError:
            metrics.redis_up.set(0)
        else:
            metrics.redis_up.set(1)

    def _measure_server(self) -> None:
        vitals = redis_vitals(self._redis)
        metrics.redis_memory_used.set(vitals.memory_used)
        metrics.redis_memory_limit.set(vitals.memory_limit)
        metrics.redis_clients.set(vitals.clients)
        metrics.redis_operations.set(vitals.operations_per_second)
        metrics.redis_persistence.set(vitals.persistence_ok)
        metrics.redis_evicted.set(vitals.evicted_keys)
        metrics.redis_rejected.set(vitals.rejected_connections)

    def _measure_backlog(self) -> None:
        now_ms = self._clock.now_ms()
        for stream in LEDGER_STREAMS:
            oldest = oldest_owed_ms(self._redis, stream)
            age = 0.0 if oldest is None else max(0, now_ms - oldest) / 1000
            metrics.oldest_pending.labels(stream).set(age)
        metrics.dead_letters_kept.set(self._dead.count())
        queue_length.labels(QUEUE_PERIODIC).set(self._broker.llen(QUEUE_PERIODIC))

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.take()
            except Exception as error:  # the thread must outlive a defect in one turn
                log.error("vitals cannot be taken", exc_info=error)
            pause.wait(INTERVAL_SECONDS)
