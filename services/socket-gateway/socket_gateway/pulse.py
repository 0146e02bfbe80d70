"""What happens by the clock: heartbeats, expiring tokens, connections that never introduced themselves, loop lag."""

import time
from typing import Final

from aro.adapters.clock import Clock
from socket_gateway import metrics
from socket_gateway.channels import Sequencer
from socket_gateway.clients import Client, Clients
from socket_gateway.deadlines import Deadline, Deadlines
from socket_gateway.door import Door
from socket_gateway.fanout import Fanout
from socket_gateway.freshness import Freshness

TICK_SECONDS: Final = 0.25
SWEEP_SECONDS: Final = 1.0
HEARTBEATS_PER_TURN: Final = 100
"""After so many the other greenlets get a turn."""
ALIVE_SECONDS: Final = 5.0


class Pulse:
    def __init__(
        self,
        clients: Clients,
        deadlines: Deadlines,
        door: Door,
        fanout: Fanout,
        sequencer: Sequencer,
        freshness: Freshness,
        clock: Clock,
        *,
        heartbeat_seconds: float,
    ) -> None:
        self._clients = clients
        self._deadlines = deadlines
        self._door = door
        self._fanout = fanout
        self._sequencer = sequencer
        self._freshness = freshness
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds
        self._beat_at = clock.monotonic()
        self._worst_lag = 0.0
        metrics.connections.set_function(lambda: float(clients.admitted))

    def check(self) -> None:
        """Raises TimeoutError if the event loop has not turned for `ALIVE_SECONDS`."""
        if self._clock.monotonic() - self._beat_at > ALIVE_SECONDS:
            raise TimeoutError("the event loop is stuck")

    def run(self) -> None:
        """Never returns."""
        sweep_at = heartbeat_at = self._clock.monotonic()
        while True:
            before = self._clock.monotonic()
            time.sleep(TICK_SECONDS)
            now = self._beat_at = self._clock.monotonic()
            self._worst_lag = max(self._worst_lag, now - before - TICK_SECONDS)
            self._expire()
            if now >= sweep_at:
                sweep_at = now + SWEEP_SECONDS
                self._door.sweep()
                self._freshness.publish(self._clock.now_ms())
            if now >= heartbeat_at:
                # The next one is counted from when this one was due: the interval must not grow by the work.
                heartbeat_at = max(heartbeat_at + self._heartbeat_seconds, now)
                metrics.loop_lag.set(self._worst_lag)
                self._worst_lag = 0.0
                self._send_heartbeats()

    def _send_heartbeats(self) -> None:
        for turn, client in enumerate(self._clients):
            if client.sid is not None and client.end_reason is None:
                self._fanout.send(client, "heartbeat", self._heartbeat(client))
            if turn % HEARTBEATS_PER_TURN == HEARTBEATS_PER_TURN - 1:
                time.sleep(0)

    def _heartbeat(self, client: Client) -> dict[str, object]:
        """Queued behind everything up to these positions: a client that has less has lost something."""
        memories = {channel: self._sequencer.find(channel) for channel in client.channels}
        return {
            "server_ts": self._clock.now_ms(),
            "channels": {channel: memory.seq if memory else None for channel, memory in memories.items()},
        }

    def _expire(self) -> None:
        for deadline in self._deadlines.due(self._clock.now_ms()):
            client = self._clients.of_engine(deadline.engine_id)
            if client is None or client.sid is None or client.principal is None:
                continue
            if client.principal.expires_at == deadline.expires_at:
                self._act(client, deadline)

    def _act(self, client: Client, deadline: Deadline) -> None:
        if deadline.kind == "expiring":
            self._fanout.send(client, "auth_expiring", {"expires_ts": deadline.expires_at * 1000})
        else:
            self._door.hang_up(
                client, "token_expired", problem=("token_expired", "the access token has expired"), final=True
            )
