"""The events of namespace ``/v1``: each handler reads its payload, calls, and answers."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, NoReturn

from flask_socketio import ConnectionRefusedError, Namespace

from aro.contracts.problems import AroError, ServiceUnavailable
from aro.runtime.logs import get_logger
from socket_gateway import metrics, payloads
from socket_gateway.admission import Admission, token_of
from socket_gateway.catalog import Catalog
from socket_gateway.channels import Sequencer
from socket_gateway.clients import Client, Clients
from socket_gateway.door import ENGINE_ID
from socket_gateway.fanout import MAX_REPLAY_BYTES, Fanout
from socket_gateway.pacing import Pace, Subscription
from socket_gateway.packets import NAMESPACE
from socket_gateway.refusals import UnknownEvent, WrongNamespace
from socket_gateway.replays import Allowed

log = get_logger(__name__)

REASONS: Final = {
    "client disconnect": "client",
    "transport close": "client",
    "ping timeout": "ping_timeout",
    "transport error": "transport_error",
    "server disconnect": "server",
}
_Answer = dict[str, Any]


class MarketNamespace(Namespace):  # type: ignore[misc]
    """One dispatcher instead of `on_*` methods, so that no event name of a client can pick a method."""

    def __init__(
        self,
        clients: Clients,
        admission: Admission,
        fanout: Fanout,
        sequencer: Sequencer,
        catalog: Catalog,
        *,
        max_request_channels: int,
        allowed: Callable[[str, Iterable[str]], Allowed],
    ) -> None:
        """`allowed` are the replay sessions that an account may name in its channels."""
        super().__init__(NAMESPACE)
        self._clients = clients
        self._admission = admission
        self._fanout = fanout
        self._sequencer = sequencer
        self._catalog = catalog
        self._max_request_channels = max_request_channels
        self._allowed = allowed
        self._handlers: dict[str, Callable[[Client, tuple[Any, ...]], _Answer]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "auth": self._authenticate,
        }

    def trigger_event(self, name: str, sid: str, *arguments: Any) -> Any:
        if name == "connect":
            return self._connect(sid, *arguments)
        if name == "disconnect":
            return self._disconnect(sid, *arguments)
        client = self._clients.of_sid(sid)
        return self._answer(client, name, arguments) if client is not None else None

    def _connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        try:
            principal = self._admission.verify(token_of(auth))
            client = self._clients.of_engine(environ[ENGINE_ID])
            if client is None or client.end_reason:
                raise ServiceUnavailable("the connection was closed meanwhile")
            self._clients.admit(client, sid, principal)
        except AroError as error:
            refuse(error)
        self._admission.watch(client, principal)
        metrics.connects.labels("accepted").inc()
        log.info("socket admitted", **{"socket.id": sid, "user.id": principal.subject})

    def _disconnect(self, sid: str, reason: str = "") -> None:
        client = self._clients.dismiss(sid)
        if client is None or client.principal is None:
            return
        self._fanout.leave_all(client)
        why = client.end_reason or REASONS.get(reason, "client")
        metrics.disconnects.labels(why).inc()
        log.info("socket ended", reason=why, **{"socket.id": sid, "user.id": client.principal.subject})

    def _answer(self, client: Client, name: str, arguments: tuple[Any, ...]) -> _Answer:
        """The ack. What goes wrong is answered there and, for clients that asked for no ack, as event ``error``."""
        try:
            handler = self._handlers.get(name)
            if handler is None:
                raise UnknownEvent(f"{name[:80]!r} is not an event; known are {', '.join(self._handlers)}")
            return handler(client, arguments)
        except AroError as error:
            problem = {"code": error.code, "detail": error.detail}
            client.after_ack.append(partial(self._fanout.send, client, "error", {**problem, "event": name[:80]}))
            return {"error": problem}

    def _subscribe(self, client: Client, arguments: tuple[Any, ...]) -> _Answer:
        """Join, answer, then the state of each channel: see `socket_gateway.door` for why nothing slips in between."""
        request = payloads.read(payloads.Subscribe, arguments)
        payloads.list_is_bounded(request.channels, self._max_request_channels)
        # First, because it may take time: from here on nothing waits.
        allowed = self._allowed(client.principal.subject if client.principal else "", request.channels)
        if client.sid is None:
            raise ServiceUnavailable("the connection was closed meanwhile")
        ok: dict[str, _Answer] = {}
        rejected: list[_Answer] = []
        room = MAX_REPLAY_BYTES
        for text in dict.fromkeys(request.channels):
            try:
                for channel in self._catalog.resolve(text, allowed):
                    if channel not in ok:
                        pace = Pace(request.max_rate_hz) if request.max_rate_hz is not None else None
                        self._fanout.join(client, Subscription(channel, request.form, pace))
                        ok[channel], used = self._position(client, channel, request, room)
                        room -= used
            except AroError as error:
                rejected.append({"channel": text, "code": error.code, "detail": error.detail})
        return _reply(request.id, list(ok.values()), rejected)

    def _position(self, client: Client, channel: str, request: payloads.Subscribe, room: int) -> tuple[_Answer, int]:
        """(entry of the ack, bytes replayed)."""
        memory = self._sequencer.find(channel)
        resume = (request.resume or {}).get(channel)
        answer: _Answer = {"channel": channel, "epoch": None, "seq": None, **request.options}
        replayed = None
        if memory is not None:
            answer |= {"epoch": memory.epoch, "seq": memory.seq}
            replayed = self._fanout.catch_up(client, memory, resume, room)
        if resume is not None:
            answer["recovered"] = replayed is not None
            metrics.recoveries.labels(str(answer["recovered"]).lower()).inc()
        return answer, replayed or 0

    def _unsubscribe(self, client: Client, arguments: tuple[Any, ...]) -> _Answer:
        request = payloads.read(payloads.Unsubscribe, arguments)
        payloads.list_is_bounded(request.channels, self._max_request_channels)
        ok: list[_Answer] = []
        rejected: list[_Answer] = []
        for text in dict.fromkeys(request.channels):
            matching = _matching(client.channels, text)
            try:
                for channel in matching or [text]:
                    self._fanout.leave(client, channel)
                    ok.append({"channel": channel})
            except AroError as error:
                rejected.append({"channel": text, "code": error.code, "detail": error.detail})
        return _reply(request.id, ok, rejected)

    def _authenticate(self, client: Client, arguments: tuple[Any, ...]) -> _Answer:
        request = payloads.read(payloads.Authenticate, arguments)
        principal = self._admission.renew(client, token_of({"token": request.token}))
        return {"ok": True, "expires_ts": principal.expires_at * 1000}


class OtherNamespaces(Namespace):  # type: ignore[misc]
    """Every namespace but ours, the default one included: refused with a hint."""

    def __init__(self) -> None:
        super().__init__("*")

    def trigger_event(self, name: str, namespace: str, *_arguments: Any) -> None:
        if name == "connect":
            refuse(WrongNamespace(f"connect to namespace {NAMESPACE}, not {namespace[:40]!r}"))


def refuse(error: AroError) -> NoReturn:
    """Raises what makes Socket.IO answer the handshake with ``connect_error`` and ``data: {code, detail}``."""
    metrics.connects.labels(error.code).inc()
    raise ConnectionRefusedError(error.detail, {"code": error.code, "detail": error.detail})


def _reply(request_id: Any, ok: list[_Answer], rejected: list[_Answer]) -> _Answer:
    answer: _Answer = {"ok": ok, "rejected": rejected}
    return answer if request_id is None else {"id": request_id, **answer}


def _matching(joined: Iterable[str], text: str) -> list[str]:
    """The joined channels that a pattern stands for; none if `text` is no pattern."""
    return [name for name in joined if name.startswith(text[:-1])] if text.endswith(":*") else []
