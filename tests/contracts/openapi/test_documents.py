"""Every service's document is OpenAPI 3.1, complete, and consistent with itself."""

from collections import Counter
from typing import Any, Final

import pytest
import requests
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SERVICES: Final = ("auth", "storage", "analytics", "logging", "api-gateway")
STATUSES_WITHOUT_BODY: Final = {"204", "302", "304"}


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """What a local ``$ref`` stands for."""
    while "$ref" in value:
        found: Any = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_openapi(name: str, estate: Any) -> None:
    document = estate.documents[name]
    validate(document)
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["description"].strip()


@pytest.mark.parametrize("name", SERVICES)
def test_every_operation_says_what_it_is(name: str, estate: Any) -> None:
    document = estate.documents[name]
    tags = {tag["name"] for tag in document["tags"]}
    for label, operation in operations(document):
        assert operation["summary"], label
        assert len(operation["summary"]) <= 120, label
        assert operation["tags"], label
        assert set(operation["tags"]) <= tags, label
        assert any(status.startswith("2") for status in operation["responses"]), label
        assert "security" in operation, label
    ids = Counter(operation["operationId"] for _, operation in operations(document))
    assert max(ids.values()) == 1, ids.most_common(3)


@pytest.mark.parametrize("name", SERVICES)
def test_every_parameter_has_a_schema_and_every_path_its_parameters(name: str, estate: Any) -> None:
    document = estate.documents[name]
    for label, operation in operations(document):
        parameters = [resolved(document, item) for item in operation.get("parameters", [])]
        for parameter in parameters:
            assert parameter["schema"], (label, parameter["name"])
            assert parameter.get("description") or parameter["in"] == "query", (label, parameter["name"])
        in_path = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
        assert in_path == {part[1:-1] for part in label.split("/") if part.startswith("{")}, label


@pytest.mark.parametrize("name", SERVICES)
def test_every_answer_has_its_type_and_every_error_its_code(name: str, estate: Any) -> None:
    document = estate.documents[name]
    known = set(document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
    for label, operation in operations(document):
        for status, response in operation["responses"].items():
            found = resolved(document, response)
            assert found["description"], (label, status)
            content = found.get("content", {})
            assert bool(content) is (status not in STATUSES_WITHOUT_BODY), (label, status)
            if "application/problem+json" in content:
                codes = content["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
                assert codes, (label, status)
                assert set(codes) <= known, (label, status)
            else:
                assert status.startswith(("2", "3")) or label in ("GET /livez", "GET /readyz", "GET /health"), label


@pytest.mark.parametrize("name", SERVICES)
def test_guarded_operations_document_how_they_refuse(name: str, estate: Any) -> None:
    for label, operation in operations(estate.documents[name]):
        if operation["security"]:
            assert "401" in operation["responses"], label


@pytest.mark.parametrize("name", SERVICES)
def test_every_example_fits_its_schema(name: str, estate: Any) -> None:
    document = estate.documents[name]
    registry = Registry().with_resource("urn:document", Resource(contents=document, specification=DRAFT202012))
    found = 0
    for label, operation in operations(document):
        holders = [resolved(document, response) for response in operation["responses"].values()]
        holders += [operation["requestBody"]] if "requestBody" in operation else []
        for media in (media for holder in holders for media in holder.get("content", {}).values()):
            examples = [media["example"]] if "example" in media else []
            examples += [item["value"] for item in media.get("examples", {}).values()]
            for example in examples:
                found += 1
                errors = list(_validator(media["schema"], registry).iter_errors(example))
                assert not errors, (label, errors[0].message)
    assert found or name == "logging"


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_served_to_anyone_once(name: str, estate: Any) -> None:
    url = f"{estate.url(name)}/openapi.json"
    first = requests.get(url, timeout=5)
    assert first.status_code == 200
    again = requests.get(url, headers={"If-None-Match": first.headers["ETag"]}, timeout=5)
    assert (again.status_code, again.content) == (304, b"")


def _validator(schema: dict[str, Any], registry: Any) -> OAS31Validator:
    """Of a schema whose references are to the document at ``urn:document``."""
    return OAS31Validator(_absolute(schema), registry=registry)


def _absolute(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: f"urn:document{item}" if key == "$ref" else _absolute(item) for key, item in value.items()}
    return [_absolute(item) for item in value] if isinstance(value, list) else value
