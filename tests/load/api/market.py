"""Chains as the platform makes them: the synthetic feed through the worker's own pipeline, published once a second."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aro.adapters import redis_client
from aro.adapters.live import LivePublisher, Publication
from aro.contracts.codec import encode_json
from aro.contracts.names import chain_channel
from feed_generator.feed import numbered
from feed_generator.synthetic.provider import SyntheticProvider
from worker_enricher.pipeline import enrich_chains, sound_chain

PRODUCT = "NIFTY"
STATES = 8


class Market:
    """The nearest chain of one product, in a handful of states that are made before anything is measured."""

    def __init__(self, redis_url: str) -> None:
        self._publisher = LivePublisher(redis_client.connect(redis_url))
        provider = SyntheticProvider([PRODUCT], seed=7, scenario="calm", exchange_hours=False)
        now_ms = time.time_ns() // 1_000_000
        self._states: list[bytes] = []
        for step in range(STATES):
            nearest = min(provider.tick(now_ms + step * 1_000).chains, key=lambda chain: chain.expiry_ts)
            [(chain, _)] = enrich_chains([sound_chain(numbered(nearest, now_ms + step))], computed_ts=now_ms)
            self._states.append(encode_json(chain))
            self.expiry, self.strikes = chain.expiry, len(chain.strikes)
        self.bytes = len(self._states[-1])
        self._published = 0

    def publish(self) -> tuple[str, int]:
        """The next state; its epoch and seq."""
        self._published += 1
        data = self._states[self._published % STATES]
        [published] = self._publisher.publish([Publication(chain_channel(PRODUCT, self.expiry), self._published, data)])
        return published.epoch, published.seq

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Publishes once a second meanwhile, as the default feed does."""
        stop = threading.Event()

        def move() -> None:
            while not stop.wait(1.0):
                self.publish()

        thread = threading.Thread(target=move, name="market")
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
