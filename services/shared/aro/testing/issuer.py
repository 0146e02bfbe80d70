"""An auth service reduced to what the others need of it: a key, its JWKS over HTTP, and access tokens."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aro.adapters.clock import SystemClock
from aro.adapters.embedded import LOOPBACK
from aro.adapters.tokens import ACCESS_SECONDS, ALL_SCOPES, ROLE_USER, TokenIssuer, to_jwk

KID = "testing"


class Issuer:
    """Start it, hand `jwks_url` to services, and `stop` it."""

    def __init__(self) -> None:
        key = Ed25519PrivateKey.generate()
        self.key = key
        self._issuer = TokenIssuer(key, KID, issuer="option-aro-auth", audience="option-aro", clock=SystemClock())
        self.asked: Counter[str] = Counter()
        """Requests by HTTP method: GET is for keys, POST would be a login."""
        keys = {"keys": [to_jwk(KID, key.public_key())]}
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler(keys, self.asked))
        self.jwks_url = f"http://{LOOPBACK}:{self._server.server_port}/.well-known/jwks.json"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="jwks", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(
        self,
        subject: str = "reader",
        *,
        role: str = ROLE_USER,
        scopes: frozenset[str] = ALL_SCOPES,
        session: str = "",
        lifetime: int = ACCESS_SECONDS,
    ) -> str:
        """`lifetime` in seconds."""
        return self._issuer.issue(subject, role, scopes=scopes, session=session, lifetime=lifetime)


def _handler(document: dict[str, Any], asked: Counter[str]) -> type[BaseHTTPRequestHandler]:
    body = json.dumps(document).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, body)

        def do_POST(self) -> None:
            self._answer(404, b"{}")

        def _answer(self, status: int, body: bytes) -> None:
            asked[self.command] += 1
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
