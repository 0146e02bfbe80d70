"""The Engine.IO level of every connection: opening, counting what it sends, answering in order, hanging up.

Order of ack, snapshot and updates. Socket.IO sends the ack of an event only after its handler returned, so the
handler leaves what must follow it in `Client.after_ack`, and `_receive` does that as soon as Socket.IO is done.
From the join in the handler to that moment there is no yield: the handler, the ack and what follows run in one
greenlet (`async_handlers=False`), everything is read from memory, and a wire never waits. An update of the relay
therefore comes entirely before the join, and is in the snapshot, or entirely after the snapshot was handed over.
(`auth` may yield while keys are fetched, but joins nothing; `subscribe` to a replay session may before its first join.)

The wire keeps that order. Idle, it writes in the order of the calls. Busy, acks and replayed updates go in order on its
control lane, and all of that before the state lane, where snapshots and updates are: so an ack comes before its
snapshot, and a replay before what follows it. A later state of a channel takes the place of a waiting one, and no place
before it. A subscription that is made again drops what waits of the old one, so nothing old follows the new ack. What
the relay's turn has gathered for a room is handed out before anybody joins it.
"""

from collections.abc import Sequence
from typing import Any, Final

import socketio

from aro.adapters.clock import Clock
from aro.runtime.logs import get_logger
from socket_gateway import metrics
from socket_gateway.budgets import Budget
from socket_gateway.clients import Client, Clients
from socket_gateway.fanout import Fanout
from socket_gateway.handshake import ADDRESS
from socket_gateway.packets import NAMESPACE, Malformed
from socket_gateway.rounds import Rounds

log = get_logger(__name__)

ENGINE_ID: Final = "aro.engine_id"
"""Key in the environ that Socket.IO's handlers see, which has nothing else: the real one would be kept, 5 KB each."""

MAX_TRIES: Final = 16
"""Messages before one of them was a good token: each costs the check of a signature."""


class Door:
    def __init__(
        self,
        server: socketio.Server,
        clients: Clients,
        fanout: Fanout,
        clock: Clock,
        *,
        rounds: Sequence[Rounds[Client]],
        messages_per_minute: int,
        admission_seconds: float,
    ) -> None:
        """Every new client is added to all `rounds`."""
        self._server = server
        self._clients = clients
        self._fanout = fanout
        self._clock = clock
        self._rounds = rounds
        self._messages_per_minute = messages_per_minute
        self._admission_seconds = admission_seconds
        handlers = server.eio.handlers
        self._on_connect, self._on_message = handlers["connect"], handlers["message"]
        self._on_disconnect = handlers["disconnect"]
        server.eio.on("connect", self._open)
        server.eio.on("message", self._receive)
        server.eio.on("disconnect", self._close)

    def hang_up(self, client: Client, reason: str, *, problem: tuple[str, str] | None = None, final: bool) -> None:
        """Close the connection; `problem` is (code, detail) of a last event ``error``.

        `final` tells official clients not to come back by themselves; otherwise they reconnect.
        """
        if client.end_reason is not None:
            return
        client.end_reason = reason
        sid = client.sid
        if sid is not None and problem is not None:
            self._fanout.send(client, "error", {"code": problem[0], "detail": problem[1]})
        if sid is not None and final:
            self._server.disconnect(sid, namespace=NAMESPACE)
        self._end(client.engine_id, abort=False)

    def revoke(self, session: str) -> None:
        """Hang up on every client of a session that has ended."""
        for client in self._clients.of_session(session):
            self.hang_up(client, "token_revoked", problem=("token_revoked", "the session has ended"), final=True)

    def ping(self, clients: list[Client]) -> None:
        """Ask for a sign of life; end those that gave none since the last time."""
        for client in clients:
            connection = self._server.eio.sockets.get(client.engine_id)
            if connection is not None:
                connection.ping()

    def sweep(self) -> None:
        """Hang up on connections that were not admitted in time."""
        latest = self._clock.monotonic() - self._admission_seconds
        for client in self._clients:
            if client.sid is None and client.opened_at < latest:
                if not client.tries:  # whoever tried was counted by the outcome
                    metrics.connects.labels("not_admitted").inc()
                self.hang_up(client, "not_admitted", final=True)

    def drop(self, engine_id: str) -> None:
        """The connection broke the protocol below Socket.IO, or our code: end it without a word."""
        client = self._clients.of_engine(engine_id)
        if client is not None:
            client.end_reason = client.end_reason or "protocol_error"
            self._end(client.engine_id, abort=True)

    def slow(self, engine_id: str, detail: str) -> None:
        """The connection does not take what it is sent: end it, telling it why if it reads that much."""
        client = self._clients.of_engine(engine_id)
        if client is not None and client.end_reason is None:
            client.wire.last_words()
            self.hang_up(client, "slow", problem=("slow", detail), final=False)

    def spend(self, engine_id: str, messages: float) -> bool:
        """Count what is no message as so many; False if that is above the limit. Must not wait."""
        client = self._clients.of_engine(engine_id)
        return client is None or client.budget.take(self._clock.monotonic(), messages)

    def flood(self, engine_id: str) -> None:
        """The connection sends more than it may: end it."""
        client = self._clients.of_engine(engine_id)
        if client is not None:
            limit = f"more than {self._messages_per_minute} messages per minute"
            self.hang_up(client, "rate_limited", problem=("rate_limited", limit), final=True)

    def _open(self, engine_id: str, environ: dict[str, Any]) -> Any:
        now = self._clock.monotonic()
        wire = self._server.eio.sockets[engine_id].wire
        client = Client(engine_id, wire, now, Budget(self._messages_per_minute, now), environ.get(ADDRESS, ""))
        self._clients.open(client)
        for rounds in self._rounds:
            rounds.add(client, now)
        return self._on_connect(engine_id, {ENGINE_ID: engine_id})

    def _receive(self, engine_id: str, data: Any) -> None:
        client = self._clients.of_engine(engine_id)
        if client is None or client.end_reason is not None:
            return
        if not client.budget.take(self._clock.monotonic()):
            self.flood(engine_id)
            return
        if client.sid is None:
            client.tries += 1
            if client.tries > MAX_TRIES:
                self.hang_up(client, "not_admitted", final=True)
                return
        try:
            if data == "":
                raise Malformed("an empty message")  # Socket.IO would take it for an event
            self._on_message(engine_id, data)
        except Malformed as error:
            self.hang_up(client, "protocol_error", problem=("malformed", str(error)), final=True)
        finally:
            self._fanout.answered(client)

    def _close(self, engine_id: str, reason: str) -> None:
        self._on_disconnect(engine_id, reason)
        self._clients.close(engine_id)

    def _end(self, engine_id: str, *, abort: bool) -> None:
        socket = self._server.eio.sockets.get(engine_id)
        if socket is not None:
            socket.close(wait=False, abort=abort)
