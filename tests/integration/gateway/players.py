"""Clients that people use, each following the same channels; what it is told becomes `lines`, in order of arrival."""

import asyncio
import base64
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import socketio

ROOT = Path(__file__).resolve().parents[3]
NODE = Path(__file__).with_name("node")
EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(EXAMPLES))
import option_aro_client as official  # noqa: E402

JAVASCRIPT = str(EXAMPLES / "option-aro-client.mjs")
NEWEST, OLDER = "socket.io-client", "socket.io-client-4.5"
"""Packages of node/."""
NAMESPACE = "/v1"
STATES = ("snapshot", "update", "delta")
OTHERS = ("heartbeat", "resync", "draining", "error")
Form = tuple[str, dict[str, Any]]
"""(channel, options of its subscription)"""


class Player(Protocol):
    lines: list[list[Any]]

    def start(self, url: str, first: str, then: str, forms: Sequence[Form]) -> None:
        """`first` is a token that expires soon, `then` its successor."""

    def stop(self) -> None: ...


def install() -> Path:
    """The folder of node/, with its packages as locked."""
    assert shutil.which("npm"), "these tests need Node.js and npm"
    wanted, installed = NODE / "package-lock.json", NODE / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        command = ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=NODE, check=True, timeout=120)
    return NODE


def written(message: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it: binary data become {"deflate": base64}."""
    data = message["data"]
    return {**message, "data": {"deflate": base64.b64encode(data).decode()}} if isinstance(data, bytes) else message


class InNode:
    """A script of node/ with a package of it."""

    def __init__(self, script: str, package: str, *arguments: str) -> None:
        self.lines: list[list[Any]] = []
        self._command = ["node", str(NODE / script), package, *arguments]
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self, url: str, first: str, then: str, forms: Sequence[Form]) -> None:
        wanted = [{"channel": channel, "options": options} for channel, options in forms]
        told = json.dumps({"first": first, "next": then, "forms": wanted})
        self._process = subprocess.Popen(
            [*self._command, url, told], cwd=NODE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._thread.start()

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            assert self._process.wait(10) == 0
        finally:
            self._process.kill()
            self._thread.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self.lines.append(json.loads(line))


class Sync:
    """python-socketio's client as it comes: a thread for each message, so these are put in order afterwards."""

    def __init__(self) -> None:
        self.lines: list[list[Any]] = []
        self._positions: dict[str, dict[str, Any]] = {}
        self._client = socketio.Client(reconnection_delay=0.1, reconnection_delay_max=0.3)

    def start(self, url: str, first: str, then: str, forms: Sequence[Form]) -> None:
        client = self._client
        for name in (*STATES, *OTHERS):
            client.on(name, lambda payload, name=name: self._take(name, payload), namespace=NAMESPACE)
        client.on("connect", lambda: self._subscribe(forms), namespace=NAMESPACE)
        client.on(
            "auth_expiring",
            lambda _: client.emit("auth", {"token": then}, namespace=NAMESPACE, callback=self._say("auth")),
            namespace=NAMESPACE,
        )
        client.connect(url, auth={"token": first}, namespaces=[NAMESPACE], transports=["websocket"], retry=True)

    def stop(self) -> None:
        self._client.disconnect()

    def _subscribe(self, forms: Sequence[Form]) -> None:
        self.lines.append(["connect", None])
        for channel, options in forms:
            resume = {channel: self._positions[channel]} if channel in self._positions else {}
            request = {"channels": [channel], "resume": resume, **options}
            self._client.emit("subscribe", request, namespace=NAMESPACE, callback=self._say("ack"))

    def _take(self, name: str, payload: Any) -> None:
        self.lines.append([name, payload])
        if name in STATES:
            held = self._positions.get(payload["channel"])
            if held is None or held["epoch"] != payload["epoch"] or held["seq"] < payload["seq"]:
                self._positions[payload["channel"]] = {"epoch": payload["epoch"], "seq": payload["seq"]}

    def _say(self, name: str) -> Any:
        return lambda answer: self.lines.append([name, answer])


class Async:
    """python-socketio's asyncio client as it comes, on a loop in a thread."""

    def __init__(self) -> None:
        self.lines: list[list[Any]] = []
        self._positions: dict[str, dict[str, Any]] = {}
        self._loop = asyncio.new_event_loop()

    def start(self, url: str, first: str, then: str, forms: Sequence[Form]) -> None:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._follow(url, first, then, forms), self._loop).result(20)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _follow(self, url: str, first: str, then: str, forms: Sequence[Form]) -> None:
        self._client = client = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.3)
        for name in (*STATES, *OTHERS):
            client.on(name, lambda payload, name=name: self._take(name, payload), namespace=NAMESPACE)

        async def subscribe() -> None:
            self.lines.append(["connect", None])
            for channel, options in forms:
                resume = {channel: self._positions[channel]} if channel in self._positions else {}
                request = {"channels": [channel], "resume": resume, **options}
                await client.emit("subscribe", request, namespace=NAMESPACE, callback=self._say("ack"))

        async def renew(_: Any) -> None:
            await client.emit("auth", {"token": then}, namespace=NAMESPACE, callback=self._say("auth"))

        client.on("connect", subscribe, namespace=NAMESPACE)
        client.on("auth_expiring", renew, namespace=NAMESPACE)
        await client.connect(url, auth={"token": first}, namespaces=[NAMESPACE], transports=["websocket"], retry=True)

    async def _end(self) -> None:
        await self._client.disconnect()
        await asyncio.sleep(0)

    def _take(self, name: str, payload: Any) -> None:
        if name in STATES:
            self._positions[payload["channel"]] = {"epoch": payload["epoch"], "seq": payload["seq"]}
            payload = written(payload)
        self.lines.append([name, payload])

    def _say(self, name: str) -> Any:
        return lambda answer: self.lines.append([name, answer])


class Official:
    """The official Python client: lines are [channel, state, info] and [notice or "token", payload]."""

    def __init__(self) -> None:
        self.lines: list[list[Any]] = []

    def start(self, url: str, first: str, then: str, forms: Sequence[Form]) -> None:
        tokens = iter([first])

        def token() -> str:
            self._say("token", {})
            return next(tokens, then)

        self._client = official.OptionAro(url, token, on_notice=self._say)
        for channel, options in forms:
            self._client.subscribe([channel], self._say, **options)
        self._client.start()

    def stop(self) -> None:
        self._client.close()

    def _say(self, *parts: Any) -> None:
        self.lines.append(list(parts))
