"""One gateway: everything made, joined and started; and brought to an orderly end."""

import logging
import random
import time
from typing import Any, Final

from flask import Flask
from flask_socketio import SocketIO

from aro.adapters import redis_client
from aro.adapters.clock import Clock
from aro.adapters.live import LiveReader
from aro.adapters.revocations import Revocations
from aro.adapters.tokens import JwksKeys, TokenVerifier
from aro.runtime.health import Health
from aro.runtime.logs import get_logger
from aro.runtime.web import create_app
from socket_gateway.admission import Admission
from socket_gateway.catalog import Catalog
from socket_gateway.clients import Client, Clients
from socket_gateway.deadlines import Deadlines
from socket_gateway.door import Door
from socket_gateway.engine import plug_in
from socket_gateway.events import MarketNamespace, OtherNamespaces
from socket_gateway.fanout import Fanout
from socket_gateway.freshness import Freshness
from socket_gateway.handshake import Handshake
from socket_gateway.listener import TIMEOUT_SECONDS, Listener
from socket_gateway.loop import EventletLoop
from socket_gateway.pacer import Pacer
from socket_gateway.packets import Json, StrictPacket
from socket_gateway.pulse import Pulse
from socket_gateway.relay import Relay
from socket_gateway.rounds import Rounds
from socket_gateway.settings import GatewaySettings
from socket_gateway.wire import Wires

log = get_logger(__name__)

SERVICE: Final = "socket-gateway"
PING_SECONDS: Final = 10
"""Interval, and how long the answer may take: a dead peer is found within twice that."""
SPARE_CONNECTIONS: Final = 64
"""Beyond `max_sockets`: for probes, and for saying 503 to one socket too many instead of letting it hang."""
DRAIN_PER_SECOND: Final = 100
FLUSH_SECONDS: Final = 2.0
RETRY_SPREAD_SECONDS: Final = 10.0


class Gateway:
    def __init__(self, settings: GatewaySettings, clock: Clock) -> None:
        self._settings = settings
        self.health = Health(ready={"redis": self._check_redis}, alive={"event_loop": self._check_loop})
        self.app: Flask = create_app(SERVICE, health=self.health, verifier=None)
        self.socketio = _socketio(self.app, settings)
        server = self.socketio.server

        deadlines, freshness = Deadlines(), Freshness()
        loop = EventletLoop()
        self._wires = Wires(loop, clock, max_outbox_bytes=settings.max_outbox_bytes, slow_seconds=settings.slow_seconds)
        pings: Rounds[Client] = Rounds(PING_SECONDS)
        heartbeats: Rounds[Client] = Rounds(settings.heartbeat_seconds)
        self._clients = Clients(max_per_user=settings.max_sockets_per_user)
        pacer = Pacer(self._wires, clock, loop.spawn)
        self._fanout = Fanout(self._wires, pacer, max_channels=settings.max_channels)
        reader = LiveReader(redis_client.connect(settings.redis_url, timeout=TIMEOUT_SECONDS))
        self._relay = Relay(
            reader,
            self._fanout,
            freshness,
            clock,
            listen=lambda: Listener(settings.redis_url),
            check_seconds=settings.check_seconds,
        )
        sequencer = self._relay.sequencer

        self._revocations = Revocations(
            redis_client.connect(settings.redis_url, timeout=TIMEOUT_SECONDS),
            on_revoked=lambda session: self._door.revoke(session),
        )
        keys = JwksKeys(settings.jwks_url, clock=clock)
        verifier = TokenVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience)
        self.socketio.on_namespace(
            MarketNamespace(
                self._clients,
                Admission(verifier, self._revocations, deadlines, clock),
                self._fanout,
                sequencer,
                Catalog(sequencer, lambda: self._relay.is_current),
                max_request_channels=settings.max_request_channels,
            )
        )
        self.socketio.on_namespace(OtherNamespaces())
        self._door = Door(
            server,
            self._clients,
            self._fanout,
            clock,
            rounds=(pings, heartbeats),
            messages_per_minute=settings.messages_per_minute,
            admission_seconds=settings.admission_seconds,
        )
        self._pulse = Pulse(
            self._clients,
            deadlines,
            self._door,
            self._fanout,
            self._wires,
            sequencer,
            freshness,
            clock,
            pings=pings,
            heartbeats=heartbeats,
        )
        plug_in(server, self._wires, on_slow=self._door.slow, on_broken=self._door.drop)
        self.app.wsgi_app = Handshake(  # type: ignore[method-assign]
            self.app.wsgi_app,
            closed=self._closed,
            count=lambda: self._wires.open,
            max_sockets=settings.max_sockets,
        )

    def start(self) -> None:
        """Follow Redis and keep time, in greenlets."""
        self.socketio.start_background_task(self._revocations.run)
        self.socketio.start_background_task(self._relay.run)
        self.socketio.start_background_task(self._pulse.run)

    def serve(self) -> None:
        """Serve until the process ends. Raises OSError if the port is taken."""
        settings = self._settings
        self.socketio.run(
            self.app,
            host=settings.host,
            port=settings.port,
            max_size=settings.max_sockets + SPARE_CONNECTIONS,
            log_output=False,
            debug=False,
            use_reloader=False,
            # A connection that says nothing, or too slowly, must not hold one of `max_size` places.
            keepalive=10,
            socket_timeout=2 * PING_SECONDS,
            url_length_limit=4_096,
        )

    def drain(self) -> None:
        """Accept no more, tell everyone, and close all sockets little by little so that they do not return at once."""
        self.health.draining = True
        clients = [client for client in self._clients if client.end_reason is None]
        random.shuffle(clients)
        log.info("draining", sockets=len(clients))
        for client in clients:
            if client.sid is not None:
                retry_after = round(random.uniform(0, RETRY_SPREAD_SECONDS), 1)  # noqa: S311 - jitter
                self._fanout.send(client, "draining", {"retry_after": retry_after})
        pause = min(1 / DRAIN_PER_SECOND, self._settings.drain_seconds / max(1, len(clients)))
        for client in clients:
            self._door.hang_up(client, "shutdown", final=False)
            time.sleep(pause)
        until = time.monotonic() + FLUSH_SECONDS
        while self._wires.open and time.monotonic() < until:
            time.sleep(0.02)

    def _closed(self) -> str | None:
        if self.health.draining:
            return "draining"
        return None if self._relay.is_warm else "warming_up"

    def _check_redis(self) -> None:
        if not self._relay.is_current:
            raise ConnectionError("not subscribed to Redis")

    def _check_loop(self) -> None:
        self._pulse.check()


def _socketio(app: Flask, settings: GatewaySettings) -> Any:
    return SocketIO(
        app,
        async_mode="eventlet",
        transports=["websocket"],
        namespaces="*",
        serializer=StrictPacket,
        json=Json,
        async_handlers=False,
        monitor_clients=False,
        manage_session=False,
        ping_interval=PING_SECONDS,
        ping_timeout=PING_SECONDS,
        max_http_buffer_size=settings.max_message_bytes,
        # None is "same origin only"; an empty list would switch the check off.
        cors_allowed_origins=list(settings.cors_origins) or None,
        cors_credentials=False,
        logger=_quiet("socketio.server"),
        engineio_logger=_quiet("engineio.server"),
    )


def _quiet(name: str) -> logging.Logger:
    logger = logging.getLogger(name)
    logger.setLevel(logging.CRITICAL if name == "engineio.server" else logging.ERROR)
    return logger
