"""A small HTTP service that answers as told, as its own process: what stands behind a gateway in tests.

Every path echoes the request as JSON, unless ``answers.json`` in its directory has it: path → {status, headers, body}.
Query parameters make it misbehave: ``sleep`` seconds before the answer; ``status``; ``size`` bytes of body;
``chunks`` of 1,000 bytes, with ``pause`` seconds between them, and ``break=1`` ends them without the last one;
``events=1`` never ends; ``cut=1`` closes the connection without an answer; ``garbage=1`` answers what is no HTTP.
"""

import json
import socket
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from aro.adapters.embedded import LOOPBACK
from aro.testing.servers import Server, free_port

CHUNK: Final = b"0123456789" * 100
EVENT_SECONDS: Final = 0.05


class EchoService(Server):
    """Starts, stops and is killed like any other process; `answer` may be called at any time."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.answers: dict[str, Any] = {}
        command = [sys.executable, "-m", "aro.testing.echo", str(self.port), str(directory)]
        super().__init__(command, directory / "echo.log", self._connect)

    def answer(self, path: str, body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """From now on `path` answers this, as JSON."""
        self.answers[path] = {"status": status, "headers": headers or {}, "body": body}
        fresh = self.directory / "answers.new"
        fresh.write_text(json.dumps(self.answers), encoding="utf-8")
        fresh.replace(self.directory / "answers.json")

    def requests(self, path: str) -> int:
        """How often `path` was asked for."""
        return self.output().count(f" {path} ")

    def answers_calls(self) -> bool:
        """Whether it takes connections now."""
        try:
            self._connect()
        except OSError:
            return False
        return True

    def _connect(self) -> None:
        socket.create_connection((LOOPBACK, self.port), timeout=1).close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    directory: Path

    def answer(self) -> None:
        parts = urlsplit(self.path)
        told = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sys.stdout.write(f"{self.command} {parts.path} {parts.query}\n")
        sys.stdout.flush()
        time.sleep(float(told.get("sleep", 0)))
        if "cut" in told:
            self.close_connection = True
        elif "garbage" in told:
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            self.close_connection = True
        elif "events" in told or "chunks" in told:
            self._send_chunks(told)
        else:
            self._send_whole(parts.path, parts.query, body, told)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def _send_whole(self, path: str, query: str, body: bytes, told: dict[str, str]) -> None:
        fixed = self._fixed().get(path)
        echoed = {
            "method": self.command,
            "path": path,
            "query": query,
            "headers": dict(self.headers.items()),
            "body": body.decode("latin-1"),
        }
        content = json.dumps(fixed["body"] if fixed else echoed).encode()
        if "size" in told:
            content = b"x" * int(told["size"])
        self.send_response(int(told.get("status", fixed["status"] if fixed else 200)))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Echo", "yes")
        for name, value in (fixed["headers"] if fixed else {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _send_chunks(self, told: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if "events" in told else "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in _chunks(told):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if "break" in told:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _fixed(self) -> dict[str, Any]:
        file = self.directory / "answers.json"
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return found

    def log_message(self, format: str, *args: object) -> None:
        """Said already."""


def _chunks(told: dict[str, str]) -> Iterator[bytes]:
    if "events" in told:
        number = 0
        while True:
            yield b"data: %d\n\n" % number
            number += 1
            time.sleep(EVENT_SECONDS)
    for _ in range(int(told["chunks"])):
        yield CHUNK
        time.sleep(float(told.get("pause", 0)))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what tests do."""


def main() -> None:
    _Handler.directory = Path(sys.argv[2])
    _Server((LOOPBACK, int(sys.argv[1])), _Handler).serve_forever()


if __name__ == "__main__":
    main()
