"""Write the Postman collection (v2.1) and its environment from the OpenAPI document of a running platform.

    python examples/postman/build.py [--openapi URL or FILE]

`tour` says in which order is asked; routes that it does not know come into a folder of their own, so that every route
is there. What comes back is checked against the schemas of the document.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from tour import TOUR, Folder, Step, keep, says

HERE: Final = Path(__file__).resolve().parent
COLLECTION: Final = HERE / "option-aro.postman_collection.json"
ENVIRONMENT: Final = HERE / "local.postman_environment.json"
DEFAULT: Final = "http://127.0.0.1:8000/openapi.json"
FORMAT: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
METHODS: Final = ("get", "post", "put", "patch", "delete")
SHOWN_HEADERS: Final = ("ETag", "As-Of", "Location", "Cache-Control")
"""Those of the document that every answer of a route carries."""
REFERENCE: Final = "#/components/schemas/"
NOT_ASKED: Final = frozenset({"/assets/{file}"})
"""The dashboard's files have other names after each build."""
VALUES: Final = {"product": "{{product}}", "symbol": "{{product}}", "name": "swagger-ui.css"}
"""What stands for a path's parameter, where it is not a variable of the same name."""

EVERY_ANSWER: Final = """\
pm.test("no failure of the platform", () => pm.expect(pm.response.code).to.be.below(500));
pm.test("it has an id, and its type is what it says", () => {
  pm.expect(pm.response.headers.get("X-Request-ID")).to.match(/^[\\w.-]+$/);
  pm.expect(pm.response.headers.get("X-Content-Type-Options")).to.eql("nosniff");
});
if (pm.response.code >= 400) {
  pm.test("a problem says why", () => {
    pm.expect(pm.response.headers.get("Content-Type")).to.eql("application/problem+json");
    const problem = pm.response.json();
    pm.expect(problem.status).to.eql(pm.response.code);
    pm.expect(problem.code).to.match(/^[a-z_]+$/);
    pm.expect(problem.request_id).to.eql(pm.response.headers.get("X-Request-ID"));
  });
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--openapi", default=DEFAULT, help=f"URL or file (default {DEFAULT})")
    source = parser.parse_args().openapi
    if source.startswith(("http://", "https://")):
        with urlopen(source, timeout=30) as answer:  # noqa: S310 — the scheme was looked at
            document = json.load(answer)
    else:
        document = json.loads(Path(source).read_text(encoding="utf-8"))
    for path, content in ((COLLECTION, collection(document)), (ENVIRONMENT, environment())):
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(path.name)


def collection(document: dict[str, Any]) -> dict[str, Any]:
    schemas = draft7(document["components"]["schemas"])
    return {
        "info": {
            "_postman_id": "7f0f9a52-6a0b-4c53-9f3e-0a2a70a0a001",
            "name": document["info"]["title"],
            "description": document["info"]["description"],
            "schema": FORMAT,
        },
        "auth": bearer("token"),
        "event": [
            event("prerequest", keep("hour_ago", "Date.now() - 3600000")),
            event("test", *EVERY_ANSWER.splitlines()),
        ],
        "item": [folder(part, document) for part in (*TOUR, *rest(document))],
        "variable": [{"key": "schemas", "value": json.dumps(schemas, separators=(",", ":")), "type": "string"}],
    }


def environment() -> dict[str, Any]:
    """Of a platform on this machine. Secrets are empty: they come from logging in."""
    plain = {"base_url": "http://127.0.0.1:8000", "product": "NIFTY", "email": "", "admin_email": ""}
    secret = ("password", "admin_password", "token", "refresh_token", "personal_token", "admin_token", "other_token")
    return {
        "id": "7f0f9a52-6a0b-4c53-9f3e-0a2a70a0a002",
        "name": "Option ARO on this machine",
        "values": [
            *({"key": key, "value": value, "type": "default", "enabled": True} for key, value in plain.items()),
            *({"key": key, "value": "", "type": "secret", "enabled": True} for key in secret),
        ],
        "_postman_variable_scope": "environment",
    }


def rest(document: dict[str, Any]) -> Iterator[Folder]:
    """Every route that the tour leaves out."""
    known = {(step.method, step.path) for part in TOUR for step in part.steps}
    left = [
        Step(method=method.upper(), path=path, status=min(int(code) for code in item[method]["responses"]))
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item and path not in NOT_ASKED and (method.upper(), path) not in known
    ]
    if left:
        yield Folder(name="More", description="Not in the tour yet.", steps=tuple(left))


def folder(part: Folder, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": part.name,
        "description": part.description,
        "item": [item(step, document["paths"][step.path][step.method.lower()], document) for step in part.steps],
        **({"event": [event("prerequest", *part.before)]} if part.before else {}),
    }


def item(step: Step, operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    headers = {"Accept": step.accept, **step.headers}
    body = sent(step, operation)
    response = operation["responses"][str(step.status)]
    if "$ref" in response:  # problems are shared by all routes
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    if body is not None:
        headers["Content-Type"] = "application/json"
    return {
        "name": step.name or operation["summary"].rstrip("."),
        "event": [
            *([event("prerequest", *step.before)] if step.before else []),
            event("test", *tests(step, response)),
        ],
        "request": {
            "method": step.method,
            "description": operation.get("description", operation["summary"]),
            "auth": bearer(step.as_) if step.as_ else {"type": "noauth"},
            "header": [{"key": key, "value": value} for key, value in headers.items()],
            "url": address(step, operation),
            **({"body": {"mode": "raw", "raw": body, "options": {"raw": {"language": "json"}}}} if body else {}),
        },
        "response": [],
    }


def address(step: Step, operation: dict[str, Any]) -> dict[str, Any]:
    """All query parameters are listed; those that the tour does not send are disabled."""
    parts = [filled(part, step) for part in step.path.strip("/").split("/") if part]
    listed = [parameter for parameter in operation.get("parameters", []) if parameter["in"] == "query"]
    query = [
        {
            "key": parameter["name"],
            "value": step.query.get(parameter["name"], ""),
            "description": parameter.get("description", ""),
            **({} if parameter["name"] in step.query else {"disabled": True}),
        }
        for parameter in listed
    ]
    if unknown := step.query.keys() - {parameter["name"] for parameter in listed}:
        raise SystemExit(f"{step.method} {step.path} takes no {', '.join(sorted(unknown))}")
    enabled = "&".join(f"{key}={value}" for key, value in step.query.items())
    return {
        "raw": "{{base_url}}/" + "/".join(parts) + (f"?{enabled}" if enabled else ""),
        "host": ["{{base_url}}"],
        "path": parts,
        **({"query": query} if query else {}),
    }


def filled(part: str, step: Step) -> str:
    if not part.startswith("{"):
        return part
    name = part.strip("{}")
    if step.status == 404 and name == "product":
        return "NOPE"
    return VALUES.get(name, "{{" + name + "}}")


def sent(step: Step, operation: dict[str, Any]) -> str | None:
    """The JSON text of the request: the tour's, else the document's example."""
    if isinstance(step.body, str):
        return step.body
    if step.body is not None:
        return json.dumps(step.body)
    if "requestBody" not in operation:
        return None
    example: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["example"]
    return json.dumps(example)


def tests(step: Step, response: dict[str, Any]) -> list[str]:
    lines = [f'pm.test("status {step.status}", () => pm.response.to.have.status({step.status}));']
    shown = [name for name in SHOWN_HEADERS if name in response.get("headers", {})]
    lines += [says(f"header {name}", f'pm.response.headers.get("{name}")') for name in shown]
    content = response.get("content", {})
    kind = step.accept if step.accept in content else next(iter(content), None)  # a problem is JSON whatever was asked
    if kind is None:
        return [*lines, *guarded(step)]
    if kind != "*/*":
        lines.append(
            f'pm.test("content type {kind}", () =>'
            f' pm.expect(pm.response.headers.get("Content-Type").split(";")[0]).to.eql("{kind}"));'
        )
    if not kind.endswith("json"):
        lines.append(says("it has a body", "pm.response.text().length > 0"))
        return [*lines, *guarded(step)]
    lines += [
        "const body = pm.response.json();",
        f"const schema = {json.dumps(draft7(content[kind]['schema']))};",
        'schema.definitions = JSON.parse(pm.collectionVariables.get("schemas"));',
        'pm.test("body as documented", () => pm.response.to.have.jsonSchema(schema));',
    ]
    return [*lines, *guarded(step)]


def guarded(step: Step) -> list[str]:
    """What is kept of an answer is kept of a good one only."""
    if not step.after:
        return []
    return [f"if (pm.response.code === {step.status}) {{", *(f"  {line}" for line in step.after), "}"]


def draft7(schema: Any) -> Any:
    """A schema of OpenAPI 3.1 in the words that Postman's validator knows.

    It reads nothing beside a reference, and refuses formats that it does not know.
    """
    if isinstance(schema, list):
        return [draft7(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return {"$ref": "#/definitions/" + schema["$ref"].removeprefix(REFERENCE)}
    return {
        key: draft7(value)
        for key, value in schema.items()
        if key != "description" and not (key == "format" and value not in ("date", "date-time", "email"))
    }


def event(listen: str, *lines: str) -> dict[str, Any]:
    return {"listen": listen, "script": {"type": "text/javascript", "exec": list(lines)}}


def bearer(variable: str) -> dict[str, Any]:
    return {"type": "bearer", "bearer": [{"key": "token", "value": "{{" + variable + "}}", "type": "string"}]}


if __name__ == "__main__":
    main()
