"""A headless Chromium, driven over the DevTools protocol, and a place that serves files to its pages."""

import base64
import json
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

import requests
import websocket

from aro.testing.eventually import eventually

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program() -> str | None:
    """Path of a browser; None if there is none on this machine."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Files:
    """Serves these files, and nothing else: path → (content type, content)."""

    def __init__(self, files: Mapping[str, tuple[str, bytes]]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, files))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, files: Mapping[str, tuple[str, bytes]], *connection: Any) -> None:
        self._files = files
        super().__init__(*connection)

    def do_GET(self) -> None:
        kind, content = self._files.get(self.path, ("", b""))
        self.send_response(200 if kind else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None: ...


DOMAINS: Final = ("Page", "Runtime", "Network", "Log")
FRAMES: Final = {"Network.webSocketFrameReceived", "Network.webSocketFrameSent", "Network.dataReceived"}
"""Events that repeat what went over the wire; nobody asks for them, and they would fill the memory."""


class Browser:
    """One page. `events` holds what the protocol told, in order; it is read when something is asked.

    `domains` of the protocol tell something; the fewer they are, the less the page is disturbed.
    """

    def __init__(self, path: str, directory: Path, *, domains: Sequence[str] = DOMAINS) -> None:
        profile = directory / "profile"
        command = [path, "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        # Not for the open web: the sandbox needs what containers and root do not have.
        command += [
            "--no-sandbox",
            "--hide-scrollbars",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        self._log = (directory / "browser.log").open("wb")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)  # noqa: S603 - a browser on PATH
        self._active = profile / "DevToolsActivePort"
        self._domains = domains
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        eventually(
            lambda: self._active.exists() and self._active.read_text().strip(), "the browser to start", seconds=30
        )
        port = self._active.read_text().split()[0]

        def page() -> Any:
            found = requests.get(f"http://127.0.0.1:{port}/json/list", timeout=5).json()
            return next((target for target in found if target["type"] == "page"), None)

        url = eventually(page, "a page")["webSocketDebuggerUrl"]
        self._socket = websocket.create_connection(url, timeout=30, suppress_origin=True)
        for domain in self._domains:
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(10)
        self._log.close()

    def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            if message["method"] not in FRAMES:
                self.events.append(message)

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        eventually(lambda: self.evaluate("document.readyState") == "complete", f"{url} to be loaded")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression, awaited if it is a promise; it must be what JSON can hold."""
        told = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def happened(self, method: str) -> list[dict[str, Any]]:
        """Parameters of all events of this kind."""
        return [event["params"] for event in self.events if event["method"] == method]

    def look(self, width: int, height: int, *, dark: bool = False, still: bool = True) -> None:
        """Pages are of this size in CSS pixels from now on, for who prefers light or dark, and that nothing moves."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}
        self.call("Emulation.setEmulatedMedia", features=[scheme, motion])

    def before_each_page(self, script: str) -> None:
        """Run `script` in every page that is opened from now on, before its own."""
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def picture(self) -> bytes:
        """What is seen now, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def press(self, key: str, code: int = 0) -> None:
        """A key, by its name in the DOM; `code` is Windows' for keys that are no character."""
        text = {"text": key} if len(key) == 1 else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)

    def complaints(self) -> list[str]:
        """Errors on the console since the page was opened: of scripts, of the network, of the content policy."""
        self.evaluate("0")  # what was told until now is read with the answer
        found = [
            f"{entry['source']}: {entry['text']} {entry.get('url', '')}".strip()
            for entry in (event["entry"] for event in self.happened("Log.entryAdded"))
            if entry["level"] == "error"
        ]
        found += [
            "console: " + " ".join(str(part.get("value", part.get("description"))) for part in event["args"])
            for event in self.happened("Runtime.consoleAPICalled")
            if event["type"] in ("error", "assert")
        ]
        found += [
            f"exception: {details.get('exception', {}).get('description', details['text'])}"
            for details in (event["exceptionDetails"] for event in self.happened("Runtime.exceptionThrown"))
        ]
        return found

    def forget(self) -> None:
        """What was told until now."""
        self.evaluate("0")
        self.events.clear()
