"""The OpenAPI 3.1 document of a service, made from its routes: nothing is written down twice.

Arguments come from the marshmallow schemas that check them, answers from `Blueprint.answers`, path parameters,
guards and their problems from the frame, summaries from docstrings.
"""

import hashlib
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from flask import Flask, Response, request
from werkzeug.routing import Rule

from aro.contracts import problems as contract
from aro.contracts.problems import AroError, Forbidden, InvalidRequest, ServiceUnavailable
from aro.contracts.products import PRODUCTS
from aro.runtime.answers import Answer, answers, answers_of
from aro.runtime.openapi_schemas import OPENAPI_VERSION, Json, Schemas, arguments_of
from aro.runtime.web import PROBLEM_JSON, http_code, public, scope_of

API_VERSION: Final = "1.0.0"
DOCUMENT_SECONDS: Final = 300
"""How long anyone may keep the document without asking again."""
CSV: Final = "text/csv"

HEADERS: Final[dict[str, Json]] = {
    "X-Request-ID": {"description": "Id of this request in all logs; quote it", "schema": {"type": "string"}},
    "ETag": {"description": "Version of the representation, for If-None-Match", "schema": {"type": "string"}},
    "As-Of": {
        "description": "Source time of the state; asking again with as_of= this value gives the same",
        "schema": {"type": "string", "format": "date-time"},
    },
    "Cache-Control": {"description": "Who may keep this, and for how long", "schema": {"type": "string"}},
    "Link": {
        "description": 'The next page, as <…>; rel="next"; absent on the last',
        "required": False,
        "schema": {"type": "string"},
    },
    "Location": {"description": "Where the new object is", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "Bearer, and why the token was refused", "schema": {"type": "string"}},
    "Allow": {"description": "Methods of this path", "schema": {"type": "string"}},
    "RateLimit-Limit": {"description": "Requests per window", "schema": {"type": "integer", "minimum": 0}},
    "RateLimit-Remaining": {"description": "Requests left in this window", "schema": {"type": "integer", "minimum": 0}},
    "RateLimit-Reset": {"description": "Seconds until the window ends", "schema": {"type": "integer", "minimum": 0}},
}
"""What a route may declare; it then sends it with every answer of that status, unless it is not ``required``."""
SECURITY_SCHEMES: Final[dict[str, Json]] = {
    "bearerAuth": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Access token of POST /api/v1/auth/login, or, at the api-gateway, a personal token aro_pat_….",
    },
    "personalToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "aro_pat",
        "description": "A personal token as POST /api/v1/auth/tokens showed it once.",
    },
}
CODES: Final = frozenset(
    {error.code for error in vars(contract).values() if isinstance(error, type) and issubclass(error, AroError)}
    | {http_code(status) for status in (400, 404, 405, 406, 413, 414, 415)}
)
_HEADERS_OF_PROBLEM: Final = {401: ("WWW-Authenticate",), 429: ("Retry-After",)}
_PLACEHOLDER: Final = re.compile(
    r"<(?:(?P<converter>[a-z]+)(?:\((?:length=(?P<length>\d+))?[^)]*\))?:)?(?P<name>[a-zA-Z_]+)>"
)
_CONVERTERS: Final[dict[str, Json]] = {
    "int": {"type": "integer", "minimum": 0},
    "float": {"type": "number"},
    "uuid": {"type": "string", "format": "uuid"},
}
_FRAME_TEXT: Final = """

Errors are `application/problem+json` (RFC 9457) with a stable `code`. HEAD works wherever GET does. Every answer
carries `X-Request-ID`; a harmless one that the caller sends is kept."""


def path_parameter(name: str) -> Json | None:
    """What a `name` in ``<…>`` of a path means everywhere. Others are described at their route with `Blueprint.doc`."""
    if name == "product":
        return {"description": "What is traded", "schema": {"type": "string", "enum": list(PRODUCTS)}}
    if name == "expiry":
        return {"description": "Day of expiry", "schema": {"type": "string", "format": "date"}}
    return None


def describe(app: Flask, *, title: str, description: str, problems: tuple[type[AroError], ...] = ()) -> Json:
    """The document of all routes of `app`. `problems` can be answered by any of them.

    Raises
    ------
    ValueError
        If a route declares a header that `HEADERS` or a problem that `aro.contracts.problems` does not have, or if two
        schemas share a name.
    """
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint in app.view_functions]
    views = {rule.endpoint: app.view_functions[rule.endpoint] for rule in rules}
    schemas = Schemas(answer for view in views.values() for answer in answers_of(view))
    document = _Document(app, schemas, problems)
    paths: dict[str, Json] = {}
    for rule in rules:
        path = _PLACEHOLDER.sub(r"{\g<name>}", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = document.operation(rule, method, views[rule.endpoint])
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": title,
            "version": API_VERSION,
            "description": inspect.cleandoc(description) + _FRAME_TEXT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": document.tags(),
        "paths": paths,
        "components": {
            "schemas": {**schemas.components(), "Problem": _PROBLEM},
            "responses": dict(sorted(document.responses.items())),
            "headers": {name: {"required": True, **HEADERS[name]} for name in sorted(document.headers)},
            "securitySchemes": {name: SECURITY_SCHEMES[name] for name in sorted(document.schemes)},
        },
    }


def add_openapi(app: Flask, *, title: str, description: str, problems: tuple[type[AroError], ...] = ()) -> None:
    """Serve the document at ``/openapi.json``. Call it when all other routes are there; it raises as `describe`."""

    @app.get("/openapi.json", endpoint="openapi")
    @public
    @answers({"type": "object"}, "This document", headers=("ETag", "Cache-Control"))
    def openapi() -> Response:
        """What this service answers."""
        response = Response(body, mimetype="application/json")
        response.headers["Cache-Control"] = f"public, max-age={DOCUMENT_SECONDS}"
        response.set_etag(version)
        return response.make_conditional(request)  # type: ignore[return-value]

    body = msgspec.json.encode(describe(app, title=title, description=description, problems=problems))
    version = hashlib.sha256(body).hexdigest()[:32]


class _Document:
    """Makes operations, and collects what they refer to."""

    def __init__(self, app: Flask, schemas: Schemas, problems: tuple[type[AroError], ...]) -> None:
        self._app = app
        self._schemas = schemas
        self._problems = problems
        self.responses: dict[str, Json] = {}
        self.headers: set[str] = set()
        self.schemes: set[str] = set()
        self._tags: dict[str, str] = {}

    def tags(self) -> list[Json]:
        return [{"name": name, "description": text} if text else {"name": name} for name, text in self._tags.items()]

    def operation(self, rule: Rule, method: str, view: Callable[..., Any]) -> Json:
        blueprint, _, function = rule.endpoint.rpartition(".")
        self._tags[blueprint or "operations"] = getattr(self._app.blueprints.get(blueprint), "description", "")
        summary, _, description = (inspect.getdoc(view) or "").partition("\n\n")
        operation: Json = {
            "operationId": "_".join(filter(None, (blueprint, function))).replace(".", "_"),
            "tags": [blueprint or "operations"],
            "summary": " ".join(summary.split()),
            **({"description": description} if description else {}),
            **self._security(view, method),
            "parameters": _path_parameters(rule),
        }
        for argument in arguments_of(view):
            if argument["in"] == "json":
                operation["requestBody"] = self._schemas.body(argument)
            else:
                operation["parameters"] += self._schemas.parameters(argument)
        declared = answers_of(view)
        if any("ETag" in answer.headers for answer in declared) and method == "GET":
            operation["parameters"].append(_IF_NONE_MATCH)
        manual: Json = getattr(view, "_apidoc", {}).get("manual_doc", {})
        operation = _merged(operation, manual)
        self.schemes |= {name for requirement in operation["security"] for name in requirement}
        operation["responses"] = self._responses(rule, method, view, operation, declared)
        return operation

    def _security(self, view: Callable[..., Any], method: str) -> Json:
        if getattr(view, "is_public", False):
            return {"security": []}
        scope = scope_of(view, method)
        roles = ["admin"] if getattr(view, "is_admin_only", False) else ["user", "admin"]
        if scope is None:
            return {"security": [{"bearerAuth": []}], "x-roles": roles}
        return {"security": [{"bearerAuth": [scope]}], "x-scope": scope, "x-roles": roles}

    def _responses(
        self, rule: Rule, method: str, view: Callable[..., Any], operation: Json, declared: tuple[Answer, ...]
    ) -> Json:
        responses: dict[str, Json] = {}
        for answer in declared:
            described = self._answer(answer)
            first = responses.setdefault(str(answer.status), described)
            if first is not described:  # one more media type of the same status
                first.setdefault("content", {}).update(described.get("content", {}))
        if method == "GET" and any("ETag" in answer.headers for answer in declared):
            responses["304"] = {"description": "Not modified since that ETag", "headers": self._named(("ETag",))}
        codes: dict[int, set[str]] = {}
        for error in (*self._problems, *(error for answer in declared for error in answer.problems)):
            codes.setdefault(error.status, set()).add(error.code)
        for status, code in self._frame_problems(rule, view, operation, declared):
            codes.setdefault(status, set()).add(code)
        for status, of_status in sorted(codes.items()):
            # Readiness answers 503 with its own body, and that is the better description.
            responses.setdefault(str(status), self._problem(status, of_status))
        return dict(sorted(responses.items()))

    def _frame_problems(
        self, rule: Rule, view: Callable[..., Any], operation: Json, declared: tuple[Answer, ...]
    ) -> Iterable[tuple[int, str]]:
        yield 414, http_code(414)
        yield 500, AroError.code
        if rule.arguments:
            yield 404, http_code(404)
        if arguments_of(view):
            yield InvalidRequest.status, InvalidRequest.code
        if "requestBody" in operation:
            yield from ((status, http_code(status)) for status in (400, 413, 415))
        if any(answer.csv for answer in declared):
            yield 406, http_code(406)
        if not getattr(view, "is_public", False):
            yield from ((401, code) for code in ("token_missing", "token_invalid", "token_expired", "token_revoked"))
            yield Forbidden.status, Forbidden.code
        blueprint = rule.endpoint.rpartition(".")[0]
        if not getattr(view, "is_public", False) or self._app.before_request_funcs.get(blueprint):
            yield ServiceUnavailable.status, ServiceUnavailable.code

    def _answer(self, answer: Answer) -> Json:
        response: Json = {"description": answer.description, "headers": self._named(answer.headers)}
        if answer.schema is not None:
            media: Json = {"schema": self._schemas.of_answer(answer)}
            if answer.example is not None:
                media["example"] = msgspec.to_builtins(answer.example)
            response["content"] = {answer.media_type: media}
            if answer.csv:
                response["content"][CSV] = {"schema": {"type": "string"}}
        return response

    def _problem(self, status: int, codes: set[str]) -> Json:
        """A reference to the response of this status with these codes, which is shared by all routes that have it."""
        if unknown := codes - CODES:
            raise ValueError(f"aro.contracts.problems does not have {', '.join(sorted(unknown))}")
        name = "-".join(("problem", str(status), *sorted(codes)))
        narrowed = {"properties": {"status": {"const": status}, "code": {"enum": sorted(codes)}}}
        self.responses[name] = {
            "description": " or ".join(sorted(codes)),
            "headers": self._named(_HEADERS_OF_PROBLEM.get(status, ())),
            "content": {
                PROBLEM_JSON: {"schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, narrowed]}},
            },
        }
        return {"$ref": f"#/components/responses/{name}"}

    def _named(self, names: tuple[str, ...]) -> Json:
        names = ("X-Request-ID", *names)
        if unknown := set(names) - HEADERS.keys():
            raise ValueError(f"aro.runtime.openapi.HEADERS does not have {', '.join(sorted(unknown))}")
        self.headers.update(names)
        return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _path_parameters(rule: Rule) -> list[Json]:
    found = []
    for match in _PLACEHOLDER.finditer(rule.rule):
        length = int(match["length"] or 0)
        exactly = {"minLength": length, "maxLength": length} if length else {"minLength": 1}
        schema = _CONVERTERS.get(match["converter"] or "", {"type": "string", **exactly})
        described = {"description": match["name"].replace("_", " "), "schema": schema}
        known = path_parameter(match["name"]) or described
        found.append({"name": match["name"], "in": "path", "required": True, **known})
    return found


def _merged(operation: Json, manual: Json) -> Json:
    """What is written at the route by hand wins; its parameters are added, or replace those of the same name."""
    by_name = {(item["in"], item["name"]): item for item in operation["parameters"]}
    for item in manual.get("parameters", []):
        key = (item["in"], item["name"])
        by_name[key] = {**by_name.get(key, {}), **item}
    return {**operation, **manual, "parameters": list(by_name.values())}


_IF_NONE_MATCH: Final[Json] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETags that the caller has; 304 if one of them is current",
    "schema": {"type": "string"},
}
_PROBLEM: Final[Json] = {
    "type": "object",
    "description": "RFC 9457 problem details. `code` is the stable word that programs look at.",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "pattern": "^urn:option-aro:problem:"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "for people; it may change"},
        "instance": {"type": "string", "description": "path that was asked for"},
        "code": {"type": "string", "enum": sorted(CODES)},
        "request_id": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "what is wrong, by the name of the parameter or field",
            "additionalProperties": True,
        },
    },
    "examples": [
        {
            "type": "urn:option-aro:problem:unknown_expiry",
            "title": "Unknown expiry",
            "status": 404,
            "detail": "NIFTY has no data for 2026-12-30",
            "instance": "/api/v1/chains/NIFTY",
            "code": "unknown_expiry",
            "request_id": "9f86d081884c7d65",
        }
    ],
}
