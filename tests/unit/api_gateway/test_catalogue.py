"""One document of many: nothing is lost, every reference leads somewhere, and no two things share a name."""

import copy
from typing import Any

from api_gateway.catalogue import Json, merge, operations
from api_gateway.table import ROUTES, owner

PROBLEM = "application/problem+json"


def problem(status: int, *codes: str) -> Json:
    narrowed = {"properties": {"status": {"const": status}, "code": {"enum": list(codes)}}}
    return {
        "description": " or ".join(codes),
        "headers": {},
        "content": {PROBLEM: {"schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, narrowed]}}},
    }


def operation(identity: str, tag: str, **responses: str) -> Json:
    return {
        "operationId": identity,
        "tags": [tag],
        "responses": {
            status.removeprefix("s"): {"$ref": f"#/components/responses/{name}"} for status, name in responses.items()
        },
    }


def document(paths: Json, *, responses: Json, schemas: Json | None = None, tags: tuple[str, ...] = ()) -> Json:
    return {
        "openapi": "3.1.0",
        "info": {"title": "a part", "version": "1"},
        "tags": [{"name": name} for name in tags],
        "paths": paths,
        "components": {"schemas": {"Problem": {"type": "object"}, **(schemas or {})}, "responses": responses},
    }


PAGE = {
    "description": "a page",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}},
}
OWN = document(
    {"/": {"get": operation("index", "documents")}},
    responses={
        "problem-429-rate_limited": problem(429, "rate_limited"),
        "problem-504-upstream_timeout": problem(504, "upstream_timeout"),
    },
    tags=("documents",),
)
ADDED = ("problem-429-rate_limited", "problem-504-upstream_timeout")
STORAGE = document(
    {
        "/api/v1/products": {"get": operation("list", "storage", s200="Page")},
        "/livez": {"get": operation("livez", "operations")},
        "/api/v1/auth/stolen": {"get": operation("stolen", "storage")},
    },
    responses={
        "Page": {
            "description": "a page",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}},
        }
    },
    schemas={"Page": {"type": "object", "title": "of storage"}},
    tags=("storage", "operations"),
)
AUTH = document(
    {
        "/api/v1/auth/login": {"post": operation("list", "auth", s200="Page", s429="problem-429-too_many")},
    },
    responses={
        "Page": {
            "description": "a page",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}},
        },
        "problem-429-too_many": problem(429, "too_many"),
    },
    schemas={"Page": {"type": "object", "title": "of auth"}},
    tags=("auth",),
)


def merged(**parts: Json) -> Json:
    return merge(OWN, parts, owner=owner, added=ADDED)


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for entry in value.values() for found in references(entry)]
    if isinstance(value, list):
        return [found for entry in value for found in references(entry)]
    return []


def test_each_service_speaks_for_its_own_paths_only() -> None:
    assert set(merged(storage=STORAGE, auth=AUTH)["paths"]) == {"/", "/api/v1/products", "/api/v1/auth/login"}


def test_every_reference_leads_somewhere_and_names_that_clash_are_told_apart() -> None:
    whole = merged(storage=STORAGE, auth=AUTH)
    for reference in references(whole):
        _, _, kind, name = reference.split("/")
        assert name in whole["components"][kind], reference
    assert whole["components"]["schemas"]["Page"]["title"] == "of storage"
    assert whole["components"]["schemas"]["auth.Page"]["title"] == "of auth"
    page = whole["components"]["responses"]["auth.Page"]
    assert page["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/auth.Page"}
    identities = [item["operationId"] for _, _, item in operations(whole["paths"])]
    assert sorted(identities) == ["auth_list", "index", "list"] or sorted(identities) == [
        "index",
        "list",
        "storage_list",
    ]


def test_what_the_gateway_may_answer_is_added_and_codes_of_one_status_are_joined() -> None:
    whole = merged(storage=STORAGE, auth=AUTH)
    products = whole["paths"]["/api/v1/products"]["get"]["responses"]
    assert products["429"] == {"$ref": "#/components/responses/problem-429-rate_limited"}
    assert products["504"] == {"$ref": "#/components/responses/problem-504-upstream_timeout"}
    login = whole["paths"]["/api/v1/auth/login"]["post"]["responses"]
    assert login["429"] == {"$ref": "#/components/responses/problem-429-rate_limited-too_many"}
    joined = whole["components"]["responses"]["problem-429-rate_limited-too_many"]
    assert joined["content"][PROBLEM]["schema"]["allOf"][1]["properties"]["code"]["enum"] == [
        "rate_limited",
        "too_many",
    ]
    assert "429" not in whole["paths"]["/"]["get"]["responses"]


def test_where_both_describe_an_operation_the_gateway_holds() -> None:
    own = copy.deepcopy(OWN)
    own["paths"]["/api/v1/products"] = {"get": operation("fast", "documents")}
    whole = merge(own, {"storage": STORAGE}, owner=owner, added=ADDED)
    assert whole["paths"]["/api/v1/products"]["get"]["operationId"] == "fast"


def test_tags_that_nothing_uses_are_left_out() -> None:
    assert [tag["name"] for tag in merged(storage=STORAGE, auth=AUTH)["tags"]] == ["storage", "auth", "documents"]


def test_the_parts_are_not_changed_by_it() -> None:
    before = copy.deepcopy((OWN, STORAGE, AUTH))
    merged(storage=STORAGE, auth=AUTH)
    assert before == (OWN, STORAGE, AUTH)


def test_without_parts_it_is_the_gateways_own() -> None:
    assert merged() == OWN


def test_paths_belong_to_the_service_of_their_row() -> None:
    assert owner("/api/v1/chains/{product}/metrics") == "storage"
    assert owner("/api/v1/chainsaw") is None
    assert owner("/api/v1/logs/tail") == "logging"
    assert owner("/metrics") is None
    rows = [(route.path, method) for route in ROUTES for method in route.methods]
    assert len(set(rows)) == len(rows)
