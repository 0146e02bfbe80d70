"""Option ARO's live channels in Python: one file to copy, on python-socketio.

    from option_aro_client import OptionAro, login

    def show(channel, state, info):
        print(channel, info["seq"], state["source_time"])

    client = OptionAro("http://127.0.0.1:8010", login("http://127.0.0.1:8000", "me@example.com", "my password"))
    client.subscribe(["ticks:NIFTY"], show)
    client.subscribe(["chain:NIFTY:*"], show, delta=True, encoding="deflate", max_rate_hz=2)
    client.run()  # until close() or Refused; start() does the same in a thread

`state` is always the channel's whole state, whatever came over the wire, and is never changed afterwards. `info` has
`event` (snapshot, update or delta), `epoch`, `seq` and `skipped`: how many states lie between the one before and this
one; None where that cannot be said. Callbacks come one at a time, in order, from one thread; do not block it for long.

The client connects again after every loss, at the time that a gateway asks for when it shuts down, and resumes where it
was; brings a new token in time; takes nothing twice or backwards; and asks again wherever a message is missing.
`on_notice(name, payload)` tells what else happens: connected, resumed, disconnected, rejected, hole, resync,
draining, error.

Needs: pip install "python-socketio[client]".
"""

import json
import logging
import random
import threading
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

import engineio
import requests
import socketio

log = logging.getLogger(__name__)

NAMESPACE = "/v1"
STATES = ("snapshot", "update", "delta")
EVENTS = (*STATES, "heartbeat", "resync", "auth_expiring", "draining", "error")
MAX_ENTRIES = 60  # of one request; the gateway limits both their number and the size of a message
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0  # seconds before connecting again; doubled each time, with jitter
ASK_AGAIN_SECONDS = 10.0  # for channels that are rejected because they are not there yet
BAD_TOKEN = {"token_expired", "token_invalid", "token_missing"}  # a new one may help
NOT_NOW = {"service_unavailable", "slow", "too_many_sockets", "rate_limited"}
NOT_YET = {"service_unavailable", "unknown_expiry"}

OnState = Callable[[str, Any, dict[str, Any]], None]
OnNotice = Callable[[str, dict[str, Any]], None]


class Refused(Exception):
    """The gateway does not want this client, and trying again would not help."""

    def __init__(self, problem: dict[str, Any]) -> None:
        self.code, self.detail = problem.get("code"), problem.get("detail")
        super().__init__(f"{self.code}: {self.detail}")


class CannotApply(ValueError):
    """A patch does not belong to this state."""


def login(url: str, email: str, password: str) -> Callable[[], str]:
    """A source of access tokens: logs in at each call, and the client calls only when it needs a new one."""

    def token() -> str:
        answer = requests.post(f"{url}/api/v1/auth/login", json={"email": email, "password": password}, timeout=10)
        if answer.status_code in (401, 403):
            raise Refused(answer.json())
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    return token


def apply_patch(state: Any, patch: dict[str, Any]) -> Any:
    """The state after `patch`, sharing with `state` what did not change. Raises `CannotApply`.

    Of an object: ``put`` sets members, ``cut`` removes them, ``in`` patches them. Of an array: the elements ``at``
    these indices become those of ``to``.
    """
    known = {"at", "to"} if isinstance(state, list) else {"put", "cut", "in"}
    if not isinstance(state, list | dict) or not patch.keys() <= known:
        raise CannotApply("this patch is for another kind of value")
    try:
        if isinstance(state, list):
            elements = dict(zip(range(len(state)), state, strict=True))
            for index, value in zip(patch["at"], patch["to"], strict=True):
                if index not in elements:
                    raise IndexError(index)
                elements[index] = value
            return list(elements.values())
        members = dict(state)
        for key in patch.get("cut", ()):
            del members[key]
        for key, inner in patch.get("in", {}).items():
            members[key] = apply_patch(members[key], inner)
        return members | patch.get("put", {})
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CannotApply(f"{type(error).__name__}: {error}") from None


class Subscription(NamedTuple):
    names: list[str]
    on_state: OnState
    options: dict[str, Any]


class Held(NamedTuple):
    epoch: str
    seq: int
    state: Any


class _Engine(engineio.Client):  # type: ignore[misc]
    """Handles messages one after the other; the stock client starts a thread for each, and these overtake."""

    in_order: ThreadPoolExecutor

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> Any:
        if target == self.handlers.get("message"):
            with suppress(RuntimeError):  # closed meanwhile
                self.in_order.submit(_handle, target, *args)
            return None
        return super().start_background_task(target, *args, **kwargs)


def _handle(target: Any, *args: Any) -> None:
    try:
        target(*args)
    except Exception:
        log.exception("a message was not handled, or a callback failed")


class Socket(socketio.Client):  # type: ignore[misc]
    """One connection."""

    def __init__(self, in_order: ThreadPoolExecutor) -> None:
        super().__init__(reconnection=False, handle_sigint=False)
        self.eio.in_order = in_order

    def _engineio_client_class(self) -> type[_Engine]:
        return _Engine


class OptionAro:
    def __init__(self, url: str, token: str | Callable[[], str], *, on_notice: OnNotice = lambda *_: None) -> None:
        """`token` is an access token, or a function that fetches one."""
        self._url = url
        self._source: Callable[[], str] = token if callable(token) else lambda: token
        self._on_notice = on_notice
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._in_order = ThreadPoolExecutor(1, thread_name_prefix="option-aro")
        self._subscriptions: list[Subscription] = []
        self._owners: dict[str, Subscription] = {}
        self._held: dict[str, Held] = {}
        self._awaited: set[str] = set()  # channels whose next snapshot is taken, whatever it is
        self._socket: Any = None
        self._thread: threading.Thread | None = None
        self._token: str | None = None
        self._problem: dict[str, Any] = {}
        self._retry_after: float | None = None
        self._attempt = 0

    def subscribe(self, channels: Iterable[str], on_state: OnState, **options: Any) -> None:
        """Before or after the start. `options`: ``delta``, ``encoding``, ``max_rate_hz``, as the gateway knows them."""
        subscription = Subscription(list(channels), on_state, options)
        with self._lock:
            self._subscriptions.append(subscription)
            self._request(subscription, subscription.names)

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """Channels and patterns as they were subscribed to."""
        gone = list(channels)
        with self._lock:
            for subscription in self._subscriptions:
                subscription.names[:] = [name for name in subscription.names if name not in gone]
            for channel in [name for name in self._owners if any(_stands_for(wanted, name) for wanted in gone)]:
                del self._owners[channel]
                self._held.pop(channel, None)
            if self._is_connected():
                self._socket.emit("unsubscribe", {"channels": gone}, namespace=NAMESPACE)

    def state(self, channel: str) -> Any:
        """The newest state that came; None before the first."""
        held = self._held.get(channel)
        return held.state if held else None

    def run(self) -> None:
        """Follow until `close`. Raises `Refused`."""
        try:
            while not self._closed.is_set():
                self._connect()
                self._pause()
        finally:
            self._in_order.shutdown(wait=False)

    def start(self) -> None:
        """`run` in a thread; a refusal comes as notice ``refused``."""
        self._thread = threading.Thread(target=self._run, name="option-aro-run", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        if self._socket is not None:
            self._socket.disconnect()
        if self._thread not in (None, threading.current_thread()):
            self._thread.join(5)

    def _run(self) -> None:
        try:
            self.run()
        except Refused as refusal:
            self._on_notice("refused", {"code": refusal.code, "detail": refusal.detail})

    def _connect(self) -> None:
        """One connection, from its token to its end. Raises `Refused`."""
        fresh = self._token is None
        self._token = self._token or self._new_token()
        if self._token is None:
            return
        self._problem, ended = {}, SimpleQueue[str]()
        self._socket = socket = Socket(self._in_order)
        for name in EVENTS:
            socket.on(name, partial(self._receive, name), namespace=NAMESPACE)
        socket.on("connect", self._resume, namespace=NAMESPACE)
        socket.on("connect_error", self._refuse, namespace=NAMESPACE)
        socket.on("disconnect", ended.put, namespace=NAMESPACE)
        options = {"namespaces": [NAMESPACE], "transports": ["websocket"], "wait_timeout": 10}
        try:
            socket.connect(self._url, auth={"token": self._token}, **options)
        except socketio.exceptions.ConnectionError as error:
            self._on_notice("disconnected", {"reason": str(error), **self._problem})
            self._judge(fresh)
            return
        reason = ""
        while not reason and (socket.eio.state == "connected" or not ended.empty()):
            with suppress(Empty):
                reason = ended.get(timeout=1.0)
        if not self._closed.is_set():  # the end overtakes what was said before it, its reason too
            wait([self._in_order.submit(int)])
        self._on_notice("disconnected", {"reason": reason})
        if reason == "server disconnect":  # the gateway means it, and has said why
            self._problem = {"code": "closed", **self._problem}
            self._judge(fresh=False)

    def _judge(self, fresh: bool) -> None:
        """Whether to go on after a refusal; with a new token if that may help. Raises `Refused`."""
        code = self._problem.get("code")
        if code is None or code in NOT_NOW or self._closed.is_set():
            return
        if code not in BAD_TOKEN or fresh:
            raise Refused(self._problem)
        self._token, self._retry_after = None, 0.0

    def _pause(self) -> None:
        delay, self._retry_after = self._retry_after, None
        if delay is None:
            longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self._attempt)
            delay = random.uniform(longest / 2, longest)  # noqa: S311 - jitter: thousands lose a gateway at once
            self._attempt += 1
        self._closed.wait(delay)

    def _new_token(self) -> str | None:
        """None if there is none now. Raises `Refused` as the source does."""
        try:
            return self._source()
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - the source is the user's; to end the client it raises Refused
            self._on_notice("error", {"code": "no_token", "detail": f"{type(error).__name__}: {error}"})
            return None

    def _refuse(self, problem: Any) -> None:
        self._problem = (isinstance(problem, dict) and problem.get("data")) or {}

    def _is_connected(self) -> bool:
        return self._socket is not None and NAMESPACE in self._socket.namespaces

    def _resume(self) -> None:
        self._attempt = 0
        with self._lock:
            self._awaited.clear()
            self._on_notice("connected", {"channels": len(self._owners)})
            for subscription in self._subscriptions:
                # By name, too: a pattern could stand for others by now.
                followed = [channel for channel, owner in self._owners.items() if owner is subscription]
                self._request(subscription, [*followed, *subscription.names])

    def _request(self, of: Subscription, channels: list[str], *, resume: bool = True, socket: Any = None) -> None:
        """On this connection only, if one is given. Nothing without any: the next one asks for everything."""
        names = list(dict.fromkeys(channels))
        is_wanted = self._is_connected() and socket in (None, self._socket)
        for first in range(0, len(names) if is_wanted else 0, MAX_ENTRIES):
            part = names[first : first + MAX_ENTRIES]
            known = {name: self._held[name] for name in part if name in self._held} if resume else {}
            positions = {name: {"epoch": held.epoch, "seq": held.seq} for name, held in known.items()}
            request = {"channels": part, **of.options, "resume": positions}
            answered = partial(self._answered, self._socket, of)
            with self._lock:
                self._socket.emit("subscribe", request, namespace=NAMESPACE, callback=answered)

    def _answered(self, socket: Any, subscription: Subscription, answer: dict[str, Any]) -> None:
        if "error" in answer:
            self._on_notice("error", answer["error"])
            return
        with self._lock:
            self._owners.update({entry["channel"]: subscription for entry in answer["ok"]})
        resumed = [entry["recovered"] for entry in answer["ok"] if "recovered" in entry]
        if resumed:
            self._on_notice("resumed", {"channels": len(resumed), "recovered": sum(resumed)})
        for entry in answer["rejected"]:
            self._awaited.discard(entry["channel"])
            self._on_notice("rejected", entry)
        later = [entry["channel"] for entry in answer["rejected"] if entry["code"] in NOT_YET]
        if later:
            ask = partial(self._request, subscription, later, socket=socket)
            timer = threading.Timer(ASK_AGAIN_SECONDS, ask)
            timer.daemon = True
            timer.start()

    def _ask_again(self, channel: str, why: str) -> None:
        """The state that is held is not good any more: ask for the present one."""
        self._on_notice("hole", {"channel": channel, "why": why})
        self._awaited.add(channel)
        self._request(self._owners[channel], [channel], resume=False)

    def _receive(self, name: str, payload: dict[str, Any]) -> None:
        if name in STATES:
            self._take(name, payload)
        elif name == "heartbeat":
            self._compare(payload["channels"])
        elif name == "auth_expiring":  # in a thread of its own: messages must not wait for a login
            threading.Thread(target=self._renew, name="option-aro-token", daemon=True).start()
        else:
            if name == "resync":
                self._awaited.add(payload["channel"])
            elif name == "draining":
                self._retry_after = float(payload["retry_after"])
            else:
                self._problem = payload
            self._on_notice(name, payload)

    def _take(self, event: str, message: dict[str, Any]) -> None:
        channel, epoch, seq, data = message["channel"], message["epoch"], message["seq"], message["data"]
        owner, held = self._owners.get(channel), self._held.get(channel)
        last = held.seq if held is not None and held.epoch == epoch else None
        if owner is None:
            return  # left in the meantime
        if channel in self._awaited:
            if event != "snapshot":
                return
            self._awaited.discard(channel)
        elif last is not None and seq <= last:
            return
        try:
            if event != "snapshot" and (last is None or seq != last + 1 or message.get("prev_seq", last) != last):
                raise CannotApply(f"{event} {epoch}/{seq} does not follow {held and held[:2]}")
            if isinstance(data, bytes):
                data = json.loads(zlib.decompress(data))
            if event == "delta" and held is not None:
                data = apply_patch(held.state, data)
        except (CannotApply, zlib.error, ValueError) as error:
            if event != "snapshot":
                self._ask_again(channel, str(error))
            else:  # the same would come again
                self._awaited.add(channel)
                self._on_notice("error", {"code": "unreadable", "detail": f"{channel}: {error}"})
            return
        self._held[channel] = Held(epoch, seq, data)
        skipped = None if last is None else seq - last - 1
        owner.on_state(channel, data, {"event": event, "epoch": epoch, "seq": seq, "skipped": skipped})

    def _compare(self, positions: dict[str, int | None]) -> None:
        """A heartbeat is sent after everything up to these positions: who has less has lost something."""
        for channel, seq in positions.items():
            held = self._held.get(channel)
            if held is not None and seq is not None and seq > held.seq and channel not in self._awaited:
                self._ask_again(channel, f"nothing came after {held.seq}, and the gateway has sent {seq}")

    def _renew(self) -> None:
        """Bring a new token on the living connection; without one the gateway closes it, and says so."""
        try:
            self._token = self._new_token() or self._token
            answer = self._socket.call("auth", {"token": self._token}, namespace=NAMESPACE, timeout=10)
        except (Refused, socketio.exceptions.SocketIOError) as error:
            answer = {"error": {"code": "not_renewed", "detail": str(error)}}
        if "error" in answer:
            self._on_notice("error", answer["error"])


def _stands_for(name: str, channel: str) -> bool:
    return name == channel or (name.endswith(":*") and channel.startswith(name[:-1]))
