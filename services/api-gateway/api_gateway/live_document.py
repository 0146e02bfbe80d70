"""What the fast path adds to the OpenAPI description of the operations that it answers. Pure."""

from typing import Any, Final

from api_gateway.question import ROUTES

Json = dict[str, Any]

HEADERS: Final[dict[str, Json]] = {
    "Age": {"description": "Seconds since the newest state came", "schema": {"type": "integer", "minimum": 0}},
    "X-Data-State": {
        "description": "stale: the source of the newest state has been silent for longer than it should",
        "schema": {"type": "string", "enum": ["live", "stale"]},
    },
    "X-Epoch": {
        "description": "The history that X-Seq counts in, as on the socket; it changes when Redis lost its data",
        "schema": {"type": "string"},
    },
    "X-Seq": {"description": "Number of the state in its epoch", "schema": {"type": "integer", "minimum": 1}},
    "Content-Encoding": {
        "description": "br or gzip, where Accept-Encoding takes it and the answer is worth it",
        "schema": {"type": "string", "enum": ["br", "gzip"]},
    },
}
_TEXT: Final = """

Without `as_of` this is the newest state, answered from memory as the bytes that the worker published and not older than
50 ms. Its place in the channel's history is in the headers `X-Epoch` and `X-Seq`, and so in the `ETag`: ask with
`If-None-Match` as often as you like. These headers are missing when the answer had to come from history."""


def with_live_headers(document: Json) -> Json:
    """`document` with those headers in the answers that may have them; what it is made of is left as it is."""
    paths = dict(document["paths"])
    for rule in ROUTES.values():
        path = rule.replace("<", "{").replace(">", "}")
        if path in paths and "get" in paths[path]:
            paths[path] = {**paths[path], "get": _described(paths[path]["get"])}
    return {**document, "paths": paths}


def _described(operation: Json) -> Json:
    responses = {
        status: {**response, "headers": {**response.get("headers", {}), **HEADERS}}
        if status in ("200", "304")
        else response
        for status, response in operation["responses"].items()
    }
    return {**operation, "description": operation.get("description", "") + _TEXT, "responses": responses}
