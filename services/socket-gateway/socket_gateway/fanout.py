"""Who joined which channel, and the sending of what happens there.

Sending here means queueing: `send` appends to a client's own queue, which one greenlet per client writes out in
order, and appending never yields. So a method of this module is one indivisible step for all other greenlets.
"""

from collections.abc import Callable
from typing import Any, Final

from engineio.packet import Packet

from aro.contracts.problems import TooManyChannels
from socket_gateway import metrics
from socket_gateway.channels import Memory, ResetReason
from socket_gateway.clients import Client
from socket_gateway.packets import event, state_event
from socket_gateway.payloads import Resume
from socket_gateway.refusals import NotSubscribed

MAX_REPLAY_BYTES: Final = 4 << 20
"""Replayed to one client per request; beyond it the newest state serves better than what led to it."""

Send = Callable[[str, Packet], None]
"""(engine id, packet); must neither block nor yield."""


class Fanout:
    """The `Sink` of the sequencer."""

    def __init__(self, send: Send, *, max_channels: int) -> None:
        self._send = send
        self._max_channels = max_channels
        self._members: dict[str, dict[str, Client]] = {}
        self._snapshots: dict[str, tuple[str, int, Packet]] = {}
        metrics.subscriptions.set_function(lambda: sum(map(len, self._members.values())))

    def join(self, client: Client, channel: str) -> None:
        """From now on `client` gets the channel's messages. Raises `TooManyChannels`."""
        if channel not in client.channels and len(client.channels) >= self._max_channels:
            raise TooManyChannels(f"this socket has joined {self._max_channels} channels, which is the limit")
        client.channels[channel] = None
        self._members.setdefault(channel, {})[client.engine_id] = client

    def leave(self, client: Client, channel: str) -> None:
        """Raises `NotSubscribed`."""
        if channel not in client.channels:
            raise NotSubscribed(f"{channel} is not subscribed to")
        del client.channels[channel]
        members = self._members[channel]
        del members[client.engine_id]
        if not members:
            del self._members[channel]

    def leave_all(self, client: Client) -> None:
        for channel in list(client.channels):
            self.leave(client, channel)

    def update(self, memory: Memory) -> None:
        if memory.channel in self._members:
            packet = state_event("update", memory.channel, memory.epoch, memory.seq, memory.data)
            self._send_all(memory.channel, "update", packet)

    def reset(self, memory: Memory, reason: ResetReason | None) -> None:
        if memory.channel not in self._members:
            return
        if reason is not None:
            self._send_all(memory.channel, "resync", event("resync", {"channel": memory.channel, "reason": reason}))
        self._send_all(memory.channel, "snapshot", self.snapshot(memory))

    def send(self, client: Client, name: str, payload: Any) -> None:
        """One event to one client, whatever it joined."""
        metrics.messages_sent.labels(name).inc()
        self._send(client.engine_id, event(name, payload))

    def flush(self, client: Client) -> None:
        """Send what was to follow the answer to the client's own event."""
        packets, client.after_ack = client.after_ack, []
        for packet in packets:
            self._send(client.engine_id, packet)

    def catch_up(self, client: Client, memory: Memory, resume: Resume | None, room: int) -> int | None:
        """Queue, for after the ack, what brings `client` from `resume` to the present: all it missed, or a snapshot.

        How many bytes were replayed, at most `room`; None if it is a snapshot.
        """
        missed = memory.since(resume.epoch, resume.seq) if resume is not None else None
        size = sum(len(data) for _, data in missed) if missed is not None else 0
        if missed is None or size > room:
            metrics.messages_sent.labels("snapshot").inc()
            client.after_ack.append(self.snapshot(memory))
            return None
        metrics.messages_sent.labels("update").inc(len(missed))
        client.after_ack += [state_event("update", memory.channel, memory.epoch, *entry) for entry in missed]
        return size

    def snapshot(self, memory: Memory) -> Packet:
        """Built once per position, however many clients ask for it."""
        built = self._snapshots.get(memory.channel)
        if built is None or built[:2] != (memory.epoch, memory.seq):
            packet = state_event("snapshot", memory.channel, memory.epoch, memory.seq, memory.data)
            built = self._snapshots[memory.channel] = (memory.epoch, memory.seq, packet)
        return built[2]

    def _send_all(self, channel: str, name: str, packet: Packet) -> None:
        # A list, because sending finds dead sockets, and those leave.
        members = list(self._members.get(channel, {}))
        metrics.messages_sent.labels(name).inc(len(members))
        with metrics.broadcast_seconds.time():
            for engine_id in members:
                self._send(engine_id, packet)
