"""Subscribers that asked for a rate: each is sent the newest message when its time has come, and never more often.

Like the fan-out's, the methods here are indivisible steps for all other greenlets. What waits is sent by a greenlet
that lives only while there is something.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from aro.adapters.clock import Clock
from socket_gateway import metrics
from socket_gateway.clients import Client
from socket_gateway.frames import Message
from socket_gateway.pacing import Pace, Subscription, Waiting
from socket_gateway.wire import Wires

MIN_PAUSE: Final = 0.001
MAX_PAUSE: Final = 0.01
"""Seconds. Somebody may begin to wait meanwhile, and be due first: no rate is above 100 per second."""
SPARE_PLACES: Final = 64

Spawn = Callable[[Callable[[], None]], Any]


class _Member(NamedTuple):
    client: Client
    subscription: Subscription
    pace: Pace

    @property
    def waits(self) -> bool:
        """Whether something is to be sent, and this is still what its client wants."""
        return self.pace.is_waiting and self.client.channels.get(self.subscription.channel) is self.subscription


class Pacer:
    """`spawn` starts a greenlet."""

    def __init__(
        self, wires: Wires, clock: Clock, spawn: Spawn, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._wires = wires
        self._clock = clock
        self._spawn = spawn
        self._sleep = sleep
        self._members: dict[str, dict[str, _Member]] = {}
        self._joined = 0
        self._newest: dict[str, Message] = {}
        self._waiting: Waiting[_Member] = Waiting()
        self._is_running = False

    def join(self, client: Client, subscription: Subscription, pace: Pace) -> None:
        member = _Member(client, subscription, pace)
        self._members.setdefault(subscription.channel, {})[client.engine_id] = member
        self._joined += 1

    def leave(self, client: Client, channel: str) -> None:
        members = self._members[channel]
        del members[client.engine_id]
        self._joined -= 1
        if not members:
            del self._members[channel]
            self._newest.pop(channel, None)

    def begin(self, pace: Pace, message: Message) -> None:
        """The answer to the subscription brings its client to `message`."""
        pace.sent(message.epoch, message.seq, self._clock.monotonic())

    def update(self, message: Message) -> None:
        """Send the channel's next message to those whose time has come; the others wait."""
        members = self._members.get(message.channel)
        if members is None:
            return
        self._newest[message.channel] = message
        now = self._clock.monotonic()
        for member in members.values():
            if member.pace.is_waiting:
                continue
            due = member.pace.wait(now)
            if due is None:
                self._send(member, message, now)
            else:
                member.pace.is_waiting = True
                self._wait(member, due)

    def reset(self, message: Message, news: bytes | None) -> None:
        """Send `news` and the snapshot to all, whatever their rate: what they have does not lead to it."""
        now = self._clock.monotonic()
        for member in self._members.get(message.channel, {}).values():
            if news is not None:
                member.client.wire.put(news)
            self._show(member, message, now)

    def release(self) -> None:
        """Send what has waited long enough."""
        now = self._clock.monotonic()
        for member in self._waiting.due(now):
            # Who was sent something meanwhile may wait again, but then with another place in the queue.
            if member.waits and member.pace.wait(now) is None:
                self._send(member, self._newest[member.subscription.channel], now)
        self._wires.flush()

    def _wait(self, member: _Member, due: float) -> None:
        if len(self._waiting) > 2 * self._joined + SPARE_PLACES:
            self._waiting.keep(lambda other: other.waits)
        self._waiting.add(member, due)
        if not self._is_running:
            self._is_running = True
            self._spawn(self._run)

    def _run(self) -> None:
        try:
            while (due := self._waiting.next_due()) is not None:
                self._sleep(min(max(due - self._clock.monotonic(), MIN_PAUSE), MAX_PAUSE))
                self.release()
        finally:
            self._is_running = False

    def _send(self, member: _Member, message: Message, now: float) -> None:
        if not member.pace.follows(message):
            self._show(member, message, now)
            return
        form = member.subscription.form
        metrics.messages_sent.labels(message.step_kind(form)).inc()
        member.client.wire.offer(message.channel, message.step(form), partial(message.snapshot, form))
        member.pace.sent(message.epoch, message.seq, now)

    def _show(self, member: _Member, message: Message, now: float) -> None:
        metrics.messages_sent.labels("snapshot").inc()
        member.client.wire.state(message.channel, message.snapshot(member.subscription.form))
        member.pace.sent(message.epoch, message.seq, now)
