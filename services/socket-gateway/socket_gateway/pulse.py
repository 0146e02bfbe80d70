"""What happens by the clock: pings, heartbeats, slow clients, expiring tokens, connections that never introduced
themselves, loop lag."""

import time
from collections.abc import Callable
from typing import Final

from aro.adapters.clock import Clock
from socket_gateway import frames, metrics
from socket_gateway.channels import Sequencer
from socket_gateway.clients import Client, Clients
from socket_gateway.deadlines import Deadline, Deadlines
from socket_gateway.door import Door
from socket_gateway.fanout import Fanout
from socket_gateway.freshness import Freshness
from socket_gateway.lag import Lag
from socket_gateway.pacing import Subscription
from socket_gateway.rounds import Rounds
from socket_gateway.wire import Wires

TICK_SECONDS: Final = 0.25
SWEEP_SECONDS: Final = 1.0
SLICE: Final = 100
"""After so many sockets the other greenlets get a turn."""
SPARE_DEADLINES: Final = 10_000
ALIVE_SECONDS: Final = 5.0


class Pulse:
    def __init__(
        self,
        clients: Clients,
        deadlines: Deadlines,
        door: Door,
        fanout: Fanout,
        wires: Wires,
        sequencer: Sequencer,
        freshness: Freshness,
        clock: Clock,
        *,
        pings: Rounds[Client],
        heartbeats: Rounds[Client],
    ) -> None:
        self._clients = clients
        self._deadlines = deadlines
        self._door = door
        self._fanout = fanout
        self._sequencer = sequencer
        self._freshness = freshness
        self._clock = clock
        self._wires = wires
        self._pings = pings
        self._heartbeats = heartbeats
        self._beat_at = clock.monotonic()
        self._lag = Lag()
        metrics.loop_lag.set_function(lambda: self._lag.worst)
        self._bytes_sent = self._skipped = 0
        metrics.connections.set_function(lambda: float(clients.admitted))
        metrics.outbox.set_function(lambda: float(sum(size for _, size in wires.queues)))
        metrics.longest_outbox.set_function(lambda: float(max((size for _, size in wires.queues), default=0)))
        metrics.send_queue.set_function(lambda: float(max((length for length, _ in wires.queues), default=0)))

    def check(self) -> None:
        """Raises TimeoutError if the event loop has not turned for `ALIVE_SECONDS`."""
        if self._clock.monotonic() - self._beat_at > ALIVE_SECONDS:
            raise TimeoutError("the event loop is stuck")

    def run(self) -> None:
        """Never returns."""
        sweep_at = self._clock.monotonic()
        while True:
            before = self._clock.monotonic()
            time.sleep(TICK_SECONDS)
            now = self._beat_at = self._clock.monotonic()
            self._lag.note(now - before - TICK_SECONDS, now)
            self._wires.check()
            self._expire()
            self._round(self._pings, self._door.ping)
            self._round(self._heartbeats, self._send_heartbeats)
            self._count()
            if now >= sweep_at:
                sweep_at = now + SWEEP_SECONDS
                self._door.sweep()
                self._tidy()
                self._freshness.publish(self._clock.now_ms())

    def _round(self, rounds: Rounds[Client], act: Callable[[list[Client]], None]) -> None:
        """Act on those whose turn it is, a slice at a time."""
        while clients := rounds.due(self._clock.monotonic(), SLICE):
            staying = [client for client in clients if client.end_reason is None and not client.wire.is_closed]
            act(staying)
            for client in staying:
                rounds.add(client, self._clock.monotonic())
            time.sleep(0)

    def _send_heartbeats(self, clients: list[Client]) -> None:
        """Behind everything up to these positions: a client that has less has lost something."""
        self._fanout.flush()
        now_ms = self._clock.now_ms()
        built: dict[tuple[tuple[str, int | None], ...], bytes] = {}
        for client in clients:
            if client.sid is None:
                continue
            # Most clients have joined what others have joined.
            positions = tuple((channel, self._position(client.channels[channel])) for channel in client.channels)
            frame = built.get(positions)
            if frame is None:
                payload = {"server_ts": now_ms, "channels": dict(positions)}
                frame = built[positions] = frames.event("heartbeat", payload)
            metrics.messages_sent.labels("heartbeat").inc()
            client.wire.beat(frame)

    def _position(self, subscription: Subscription) -> int | None:
        """What was sent last, which a rate may keep behind what there is."""
        if subscription.pace is not None:
            return subscription.pace.seq
        memory = self._sequencer.find(subscription.channel)
        return memory.seq if memory else None

    def _count(self) -> None:
        wires = self._wires
        metrics.bytes_sent.inc(wires.bytes_sent - self._bytes_sent)
        metrics.conflated.inc(wires.skipped - self._skipped)
        self._bytes_sent, self._skipped = wires.bytes_sent, wires.skipped

    def _expire(self) -> None:
        for deadline in self._deadlines.due(self._clock.now_ms()):
            client = self._clients.of_engine(deadline.engine_id)
            if client is None or client.sid is None or client.principal is None:
                continue
            if client.principal.expires_at == deadline.expires_at:
                self._act(client, deadline)

    def _tidy(self) -> None:
        """Seldom: only once most deadlines are of clients that have gone."""
        if len(self._deadlines) > 4 * len(self._clients) + SPARE_DEADLINES:
            self._deadlines.keep(lambda deadline: self._clients.of_engine(deadline.engine_id) is not None)

    def _act(self, client: Client, deadline: Deadline) -> None:
        if deadline.kind == "expiring":
            self._fanout.send(client, "auth_expiring", {"expires_ts": deadline.expires_at * 1000})
        else:
            self._door.hang_up(
                client, "token_expired", problem=("token_expired", "the access token has expired"), final=True
            )
