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
from aro.contracts.problems import ServiceUnavailable
from aro.runtime.addresses import parse_networks
from aro.runtime.health import Health
from aro.runtime.logs import get_logger
from aro.runtime.vitals import reporter
from aro.runtime.web import create_app
from socket_gateway.admission import Admission
from socket_gateway.catalog import Catalog
from socket_gateway.clients import Client, Clients
from socket_gateway.deadlines import Deadlines
from socket_gateway.door import Door
from socket_gateway.engine import Sessions, plug_in
from socket_gateway.entrance import Entrance
from socket_gateway.events import MarketNamespace, OtherNamespaces
from socket_gateway.fanout import Fanout
from socket_gateway.freshness import Freshness
from socket_gateway.handshake import Gate, Handshake
from socket_gateway.listener import TIMEOUT_SECONDS, Listener
from socket_gateway.loop import EventletLoop
from socket_gateway.measures import GatewayMeasures
from socket_gateway.origins import Origins
from socket_gateway.pacer import Pacer
from socket_gateway.packets import Json, StrictPacket
from socket_gateway.pulse import Pulse
from socket_gateway.relay import Relay
from socket_gateway.replays import Replays
from socket_gateway.rounds import Rounds
from socket_gateway.settings import GatewaySettings
from socket_gateway.wire import Wires

log = get_logger(__name__)

SERVICE: Final = "socket-gateway"
PING_SECONDS: Final = 10
"""Interval, and how long the answer may take: a dead peer is found within twice that."""
PREPARE_SECONDS: Final = 0.1
DRAIN_PER_SECOND: Final = 100
FLUSH_SECONDS: Final = 2.0
RETRY_SPREAD_SECONDS: Final = 10.0


class Gateway:
    def __init__(self, settings: GatewaySettings, clock: Clock) -> None:
        self._settings = settings
        self.health = Health(
            ready={"redis": self._check_redis, "admission": self._check_admission},
            alive={"event_loop": self._check_loop},
        )
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
        replays = Replays(redis_client.connect(settings.redis_url, timeout=TIMEOUT_SECONDS), self._fanout)
        self._relay = Relay(
            reader,
            self._fanout,
            freshness,
            replays,
            clock,
            listen=lambda: Listener(settings.redis_url),
            check_seconds=settings.check_seconds,
            history_bytes=settings.history_bytes,
        )
        sequencer = self._relay.sequencer

        self._revocations = Revocations(
            redis_client.connect(settings.redis_url, timeout=TIMEOUT_SECONDS),
            on_revoked=lambda session: self._door.revoke(session),
        )
        self._can_admit = False
        self._keys = JwksKeys(settings.jwks_url, clock=clock)
        verifier = TokenVerifier(self._keys, issuer=settings.token_issuer, audience=settings.token_audience)
        self.socketio.on_namespace(
            MarketNamespace(
                self._clients,
                Admission(verifier, self._revocations, deadlines, clock),
                self._fanout,
                sequencer,
                Catalog(sequencer, lambda: self._relay.is_current),
                max_request_channels=settings.max_request_channels,
                allowed=replays.allowed,
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
        plug_in(
            server,
            self._wires,
            on_slow=self._door.slow,
            on_broken=self._door.drop,
            spend=self._door.spend,
            on_flood=self._door.flood,
        )
        gate = Gate(
            clock,
            closed=self._closed,
            sockets=lambda: self._wires.open,
            sockets_of=self._clients.at,
            max_sockets=settings.max_sockets,
            max_sockets_per_address=settings.max_sockets_per_address,
            per_second=settings.handshakes_per_second,
            per_minute_and_address=settings.handshakes_per_address,
        )
        self.app.wsgi_app = Handshake(  # type: ignore[method-assign]
            self.app.wsgi_app, gate, Origins(settings.cors_origins), parse_networks(settings.trusted_proxies)
        )

    def start(self) -> None:
        """Follow Redis and keep time, in greenlets."""
        self.socketio.start_background_task(self._revocations.run)
        self.socketio.start_background_task(self._relay.run)
        self.socketio.start_background_task(self._pulse.run)
        vitals = reporter(self._settings.redis_url, SERVICE, GatewayMeasures())
        self.socketio.start_background_task(vitals.run)
        self.socketio.start_background_task(self._prepare)

    def serve(self) -> None:
        """Serve until the process ends. Raises OSError if the port is taken."""
        settings = self._settings
        Entrance(self.app, settings.host, settings.port, head_seconds=settings.admission_seconds).serve()

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
        return None if self._relay.is_warm and self._can_admit else "warming_up"

    def _prepare(self) -> None:
        """Until what admission needs was there once: without it, `connect_error` would tell clients to stay away."""
        while not self._can_admit:
            try:
                self._keys.find("")  # no key is called so: this only asks for them
                self._can_admit = self._revocations.is_current()
            except ServiceUnavailable as error:
                log.debug("not prepared", error=error.detail)
            time.sleep(PREPARE_SECONDS)

    def _check_redis(self) -> None:
        if not self._relay.is_current:
            raise ConnectionError("not subscribed to Redis")

    def _check_admission(self) -> None:
        if not self._can_admit:
            raise ServiceUnavailable("no keys, or no list of ended sessions yet")

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
        client_manager=Sessions(),
        monitor_clients=False,
        manage_session=False,
        ping_interval=PING_SECONDS,
        ping_timeout=PING_SECONDS,
        max_http_buffer_size=settings.max_message_bytes,
        # An empty list: `Handshake` has checked it.
        cors_allowed_origins=[],
        cors_credentials=False,
        logger=_quiet("socketio.server"),
        engineio_logger=_quiet("engineio.server"),
    )


def _quiet(name: str) -> logging.Logger:
    logger = logging.getLogger(name)
    logger.setLevel(logging.CRITICAL if name == "engineio.server" else logging.ERROR)
    return logger
