"""A logging service on a Redis and a MongoDB of its own, and tokens that it trusts."""

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from redis import Redis

from aro.adapters import embedded, mongo
from aro.adapters.clock import SystemClock
from aro.adapters.log_stream import LogStream
from aro.adapters.mongo import MongoDatabase
from aro.adapters.tokens import ROLE_ADMIN, TokenIssuer, to_jwk
from aro.contracts.names import COLLECTION_LOG_HOURS, COLLECTION_LOGS
from aro.testing.servers import MongoServer, RedisServer
from aro.testing.services import HttpService

DATABASE: Final = "aro_logging_test"


class Keys:
    """Serves a JWKS, and signs what a test asks for."""

    def __init__(self) -> None:
        key = Ed25519PrivateKey.generate()
        self.issuer = TokenIssuer(key, "test-key", issuer="option-aro-auth", audience="option-aro", clock=SystemClock())
        document = json.dumps({"keys": [to_jwk("test-key", key.public_key())]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(document)))
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer((embedded.LOOPBACK, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://{embedded.LOOPBACK}:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class LoggingEstate:
    """The service and what it stands on; each can be killed and started again."""

    service: HttpService
    redis: RedisServer
    mongo: MongoServer
    keys: Keys

    @classmethod
    def on(cls, directory: Path, keys: Keys, **settings: str) -> "LoggingEstate":
        """Not started."""
        redis_server, mongo_server = RedisServer(directory / "redis"), MongoServer(directory / "mongo")
        own = {
            "ARO_REDIS_URL": redis_server.url,
            "ARO_MONGO_URL": mongo_server.url,
            "ARO_MONGO_DATABASE": DATABASE,
            "ARO_JWKS_URL": keys.url,
        }
        service = HttpService("logging_service", directory, {**own, **settings})
        return cls(service, redis_server, mongo_server, keys)

    def start(self) -> None:
        for server in (self.redis, self.mongo, self.service):
            server.start()

    def kill(self) -> None:
        for server in (self.service, self.redis, self.mongo):
            server.kill()

    @property
    def url(self) -> str:
        return f"{self.service.url}/api/v1/logs"

    @property
    def client(self) -> Redis:
        return self.redis.client()

    @property
    def stream(self) -> LogStream:
        return LogStream(self.client)

    def database(self) -> MongoDatabase:
        return mongo.connect(self.mongo.url, DATABASE)

    def bearer(self, subject: str = "an-admin", role: str = ROLE_ADMIN, **options: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys.issuer.issue(subject, role, **options)}"}

    def get(self, path: str = "", **query: Any) -> dict[str, Any]:
        """What an admin is answered."""
        answer = requests.get(f"{self.url}{path}", params=query, headers=self.bearer(), timeout=10)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def messages(self, **query: Any) -> list[str]:
        return [item["message"] for item in self.get(**query)["items"]]

    def put(self, *lines: dict[str, Any] | bytes) -> None:
        """Into the stream, as a service would."""
        self.stream.append([line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines])

    def is_idle(self) -> bool:
        """Whether everything in the stream is stored."""
        stream = self.stream
        stream.ensure_group()
        state = stream.state()
        return state.waiting == 0 and state.owed == 0

    def stored_ids(self) -> list[str]:
        opened = self.database()
        try:
            return [str(document["_id"]) for document in opened[COLLECTION_LOGS].find({}, {"_id": 1})]
        finally:
            opened.client.close()

    def forget(self) -> None:
        """Delete every line."""
        opened = self.database()
        for name in (COLLECTION_LOGS, COLLECTION_LOG_HOURS):
            opened[name].delete_many({})
        opened.client.close()

    def metric(self, name: str) -> float:
        text = requests.get(f"{self.service.url}/metrics", timeout=5).text
        return sum(float(row.split()[-1]) for row in text.splitlines() if row.startswith(name))
