"""The merged OpenAPI document, kept up to date by a thread: a service that is away keeps the part that it had."""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from flask import Flask

from api_gateway.catalogue import Json, merge, operations
from api_gateway.live_document import with_live_headers
from api_gateway.proxy import PROXIED
from api_gateway.table import owner
from api_gateway.upstream import Call, Terms, Upstream
from aro.contracts.problems import AroError
from aro.runtime.logs import get_logger
from aro.runtime.openapi import describe

log = get_logger(__name__)

PATH: Final = "/openapi.json"
KNOWN_SECONDS: Final = 60.0
UNKNOWN_SECONDS: Final = 2.0
_TERMS: Final = Terms(seconds=3.0)
_ADDED: Final = ("429", "502", "503", "504")
_TITLE: Final = "Option ARO"
_DESCRIPTION: Final = """
Live option chains, analytics and history, behind one door. Log in at `POST /api/v1/auth/login`, or make a personal
token for scripts, and send it as `Authorization: Bearer …`.

Every account and every address has a number of requests a minute; `RateLimit-Limit`, `RateLimit-Remaining` and
`RateLimit-Reset` (seconds) tell what is left, and 429 comes with `Retry-After`.
"""


@dataclass(frozen=True, slots=True)
class Document:
    body: bytes
    version: str


class Documents:
    """`describe` it first: the document is empty until then."""

    def __init__(self, upstreams: Mapping[str, Upstream]) -> None:
        self._upstreams = upstreams
        self._own: Json = {"paths": {}, "components": {}, "tags": []}
        self._added: tuple[str, ...] = ()
        self._parts: dict[str, Json] = {}
        self._stopped = threading.Event()
        self.current = self._merged()

    def describe(self, app: Flask) -> None:
        """Take the gateway's own part from `app`, which must have all its routes."""
        own = describe(app, title=_TITLE, description=_DESCRIPTION)
        proxied = {path: item for path, item in own["paths"].items() if any(_is_proxied(op) for _, op in _of(item))}
        responses = [operation["responses"] for item in proxied.values() for _, operation in _of(item)]
        # What the proxied rules declare is what any operation behind them may answer besides its own.
        self._added = tuple(responses[0][status]["$ref"].rpartition("/")[2] for status in _ADDED)
        self._own = {
            **own,
            "paths": {path: item for path, item in own["paths"].items() if path not in proxied},
            "tags": [tag for tag in own["tags"] if tag["name"] != PROXIED],
        }
        self.current = self._merged()

    def start(self) -> None:
        threading.Thread(target=self._run, name="documents", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def refresh(self) -> None:
        """Ask every service for its part, and merge anew if one of them has changed."""
        found = {name: part for name, upstream in self._upstreams.items() if (part := _fetched(upstream)) is not None}
        if any(self._parts.get(name) != part for name, part in found.items()):
            self._parts = {**self._parts, **found}
            self.current = self._merged()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.refresh()
            complete = self._parts.keys() == self._upstreams.keys()
            self._stopped.wait(KNOWN_SECONDS if complete else UNKNOWN_SECONDS)

    def _merged(self) -> Document:
        # Always in the same order, whatever the order in which they came.
        parts = {name: self._parts[name] for name in self._upstreams if name in self._parts}
        merged = merge(self._own, parts, owner=owner, added=self._added)
        body = msgspec.json.encode(with_live_headers(merged))
        return Document(body, hashlib.sha256(body).hexdigest()[:32])


def _of(item: Json) -> list[tuple[str, Json]]:
    return [(method, operation) for _, method, operation in operations({"": item})]


def _is_proxied(operation: Json) -> bool:
    return PROXIED in operation["tags"]


def _fetched(upstream: Upstream) -> Json | None:
    """The document of one service, or None if it gave none."""
    try:
        reply = upstream.ask(Call("GET", PATH, {"Accept": "application/json"}), _TERMS)
    except AroError:
        return None
    if not isinstance(reply.body, bytes):
        reply.body.close()
        return None
    try:
        part = msgspec.json.decode(reply.body, type=dict) if reply.status == 200 else {}
    except msgspec.DecodeError:
        part = {}
    if "openapi" not in part or not isinstance(part.get("paths"), dict):
        log.warning("a service gave no OpenAPI document", upstream=upstream.name, status=reply.status)
        return None
    return part
