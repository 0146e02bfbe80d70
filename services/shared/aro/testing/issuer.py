"""An auth service reduced to what the others need of it: a key, its JWKS over HTTP, and access tokens."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aro.adapters.clock import SystemClock
from aro.adapters.embedded import LOOPBACK
from aro.adapters.tokens import ALL_SCOPES, ROLE_USER, TokenIssuer, to_jwk

KID = "testing"


class Issuer:
    """Start it, hand `jwks_url` to services, and `stop` it."""

    def __init__(self) -> None:
        key = Ed25519PrivateKey.generate()
        self.key = key
        self._issuer = TokenIssuer(key, KID, issuer="option-aro-auth", audience="option-aro", clock=SystemClock())
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _handler({"keys": [to_jwk(KID, key.public_key())]}))
        self.jwks_url = f"http://{LOOPBACK}:{self._server.server_port}/.well-known/jwks.json"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="jwks", daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(
        self, subject: str = "reader", *, role: str = ROLE_USER, scopes: frozenset[str] = ALL_SCOPES, session: str = ""
    ) -> str:
        return self._issuer.issue(subject, role, scopes=scopes, session=session)


def _handler(document: dict[str, Any]) -> type[BaseHTTPRequestHandler]:
    body = json.dumps(document).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
