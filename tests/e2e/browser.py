"""A headless Chromium, driven over the DevTools protocol, and a place that serves files to its pages."""

import json
import shutil
import subprocess
import threading
from collections.abc import Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

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


class Browser:
    """One page. `events` holds what the protocol told, in order; it is read when something is asked."""

    def __init__(self, path: str, directory: Path) -> None:
        profile = directory / "profile"
        command = [path, "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        # Not for the open web: the sandbox needs what containers and root do not have.
        command += ["--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
        self._log = (directory / "browser.log").open("wb")
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        self._active = profile / "DevToolsActivePort"
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
        for domain in ("Page", "Runtime", "Network"):
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
