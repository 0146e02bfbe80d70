"""Who joined which channel, and the sending of what happens there.

Sending is writing to wires, which never waits and never yields: each method of this module is one indivisible step
for all other greenlets. A message is built once for each form that somebody asked for, however many they are, and the
messages of one turn are joined once for each channel and form. Until `flush` they are in nobody's wire; whatever could
come between them and the wires (a join, a reset, heartbeats) hands them out first.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from aro.contracts.names import is_replay, parse_channel, replay_bus
from aro.contracts.problems import TooManyChannels
from socket_gateway import frames, metrics
from socket_gateway.channels import Memory, ResetReason
from socket_gateway.clients import Client
from socket_gateway.frames import Form, Message
from socket_gateway.outbox import BATCH_BYTES
from socket_gateway.pacer import Pacer
from socket_gateway.pacing import Subscription
from socket_gateway.payloads import Resume
from socket_gateway.refusals import NotSubscribed
from socket_gateway.wire import Wires

MAX_REPLAY_BYTES: Final = 1 << 20
"""Replayed to one client per request; beyond it the newest state serves better than what led to it."""


@dataclass(slots=True)
class _Gathered:
    """Steps of one channel and form that follow each other."""

    last: Message
    steps: list[bytes] = field(default_factory=list)
    size: int = 0


class Fanout:
    """The `Sink` of the sequencer."""

    def __init__(self, wires: Wires, pacer: Pacer, *, max_channels: int) -> None:
        self._wires = wires
        self._pacer = pacer
        self._max_channels = max_channels
        self._groups: dict[str, dict[Form, dict[str, Client]]] = {}
        """Those without a rate of their own."""
        self._gathered: dict[tuple[str, Form], _Gathered] = {}
        self._listeners: dict[str, Counter[Client]] = {}
        """Replay session → who has joined how many of its channels."""
        self.sessions: frozenset[str] = frozenset()
        self._joined = 0
        metrics.subscriptions.set_function(lambda: self._joined)

    def join(self, client: Client, subscription: Subscription) -> None:
        """From now on `client` gets the channel's messages, as this subscription says. Raises `TooManyChannels`."""
        channel = subscription.channel
        self._hand_out(channel)
        if channel in client.channels:
            self.leave(client, channel)
        elif len(client.channels) >= self._max_channels:
            raise TooManyChannels(f"this socket has joined {self._max_channels} channels, which is the limit")
        client.channels[channel] = subscription
        if subscription.pace is not None:
            self._pacer.join(client, subscription, subscription.pace)
        else:
            self._groups.setdefault(channel, {}).setdefault(subscription.form, {})[client.engine_id] = client
        self._joined += 1
        if is_replay(channel):
            self._count_listener(client, channel, 1)

    def leave(self, client: Client, channel: str) -> None:
        """Nothing of the channel is sent any more, nor what waits for the client to read. Raises `NotSubscribed`."""
        subscription = client.channels.pop(channel, None)
        if subscription is None:
            raise NotSubscribed(f"{channel} is not subscribed to")
        if subscription.pace is not None:
            self._pacer.leave(client, channel)
        else:
            self._remove(client, channel, subscription.form)
        self._joined -= 1
        if is_replay(channel):
            self._count_listener(client, channel, -1)
        client.wire.forget(channel)

    def leave_all(self, client: Client) -> None:
        for channel in list(client.channels):
            self.leave(client, channel)

    def end_session(self, session: str, detail: str) -> None:
        """Tell who listens to a replay session that it is over, and let them leave."""
        for client in list(self._listeners.get(session, ())):
            for channel in [name for name in client.channels if name.startswith(f"{replay_bus(session)}:")]:
                self.leave(client, channel)
            self.send(client, "error", {"code": "replay_ended", "detail": detail, "session": session})

    def update(self, memory: Memory) -> None:
        message = memory.message
        for form, members in self._groups.get(memory.channel, {}).items():
            metrics.messages_sent.labels(message.step_kind(form)).inc(len(members))
            gathered = self._gathered.setdefault((memory.channel, form), _Gathered(message))
            step = message.step(form)
            gathered.last = message
            gathered.steps.append(step)
            gathered.size += len(step)
            if gathered.size >= BATCH_BYTES:
                self._hand_out(memory.channel)
        self._pacer.update(message)

    def reset(self, memory: Memory, reason: ResetReason | None) -> None:
        self._hand_out(memory.channel)
        message = memory.message
        news = frames.event("resync", {"channel": memory.channel, "reason": reason}) if reason is not None else None
        for form, members in self._groups.get(memory.channel, {}).items():
            snapshot = message.snapshot(form)
            metrics.messages_sent.labels("snapshot").inc(len(members))
            for client in members.values():
                if news is not None:
                    client.wire.put(news)
                client.wire.state(memory.channel, snapshot)
        self._pacer.reset(message, news)

    def flush(self) -> None:
        """The relay's turn is over: write what it brought."""
        if not self._gathered and not self._wires.corked:
            return
        with metrics.broadcast_seconds.time():
            for channel, _ in list(self._gathered):
                self._hand_out(channel)
            self._wires.flush()

    def send(self, client: Client, name: str, payload: Any) -> None:
        """One event to one client, whatever it joined."""
        metrics.messages_sent.labels(name).inc()
        client.wire.put(frames.event(name, payload))

    def answered(self, client: Client) -> None:
        """Send what was to follow the answer to the client's own event."""
        after_ack, client.after_ack = client.after_ack, []
        for send in after_ack:
            send()
        client.wire.flush()

    def catch_up(self, client: Client, memory: Memory, resume: Resume | None, room: int) -> int | None:
        """Send, after the ack, what brings `client` from `resume` to the present: all it missed, or a snapshot.

        How many bytes will be replayed, at most `room`; None if it is a snapshot. Who asked for a rate is not sent
        more than one message at once.
        """
        missed = memory.since(resume.epoch, resume.seq) if resume is not None else None
        size = sum(len(message.data) for message in missed) if missed is not None else 0
        form, pace = client.channels[memory.channel].form, client.channels[memory.channel].pace
        if pace is not None:
            self._pacer.begin(pace, memory.message)
        if missed is None or size > room or (pace is not None and len(missed) > 1):
            client.after_ack.append(partial(self._show, client, memory.message, form))
            return None
        client.after_ack.append(partial(self._replay, client, missed, Form(deflate=form.deflate)))
        return size

    def _show(self, client: Client, message: Message, form: Form) -> None:
        metrics.messages_sent.labels("snapshot").inc()
        client.wire.state(message.channel, message.snapshot(form))

    def _replay(self, client: Client, missed: Iterable[Message], form: Form) -> None:
        for message in missed:
            metrics.messages_sent.labels("update").inc()
            client.wire.put(message.step(form))

    def _hand_out(self, channel: str) -> None:
        for form, members in self._groups.get(channel, {}).items():
            gathered = self._gathered.pop((channel, form), None)
            if gathered is not None:
                steps = gathered.steps[0] if len(gathered.steps) == 1 else b"".join(gathered.steps)
                whole = partial(gathered.last.snapshot, form)
                for client in members.values():
                    client.wire.offer(channel, steps, whole)

    def _count_listener(self, client: Client, channel: str, change: int) -> None:
        session = parse_channel(channel).session or ""
        listeners = self._listeners.setdefault(session, Counter())
        listeners[client] += change
        if not listeners[client]:
            del listeners[client]
        if not listeners:
            del self._listeners[session]
        self.sessions = frozenset(self._listeners)

    def _remove(self, client: Client, channel: str, form: Form) -> None:
        groups = self._groups[channel]
        del groups[form][client.engine_id]
        if not groups[form]:
            del groups[form]
            self._gathered.pop((channel, form), None)
        if not groups:
            del self._groups[channel]
