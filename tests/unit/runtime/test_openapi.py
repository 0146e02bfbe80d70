"""Documents made from routes: what was declared, what the frame adds, and what is refused at start."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import pytest
from flask import Flask, Response
from marshmallow import Schema, fields
from marshmallow.validate import Length, Range
from openapi_spec_validator import validate
from webargs.fields import DelimitedList

from aro.contracts.problems import AroError, Conflict, RateLimited, UnknownProduct
from aro.runtime.answers import answers, answers_of
from aro.runtime.api import Blueprint
from aro.runtime.health import Health
from aro.runtime.openapi import add_openapi, describe, path_parameter
from aro.runtime.queries import AsOfQuery, ExpiryDate, ProductName, Whole
from aro.runtime.web import admin_only, any_scope, create_app, json_response, needs, public


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """A thing.

    With a second paragraph.
    """

    name: str
    size: float | None
    parts: list["Thing"] = []


class Query(AsOfQuery):
    expiry = ExpiryDate(load_default=None)
    product = ProductName()
    limit = Whole(load_default=10, validate=Range(1, 100), metadata={"description": "at most so many"})
    legs = DelimitedList(fields.String(), validate=Length(max=8))


class NewThingSchema(Schema):
    name = fields.String(required=True, validate=Length(1, 20))
    note = fields.String(allow_none=True)
    expiry = ExpiryDate(load_default=None)


def made(*declare: Callable[[Blueprint], Any], problems: tuple[type[AroError], ...] = ()) -> dict[str, Any]:
    """The document of an app with these routes."""
    app = create_app("documented", health=Health(), verifier=None)
    blueprint = Blueprint("things", __name__, url_prefix="/things", description="All about things")
    for add in declare:
        add(blueprint)
    app.register_blueprint(blueprint)
    document = describe(app, title="Things", description="About things.", problems=problems)
    validate(document)
    return document


def shown(**options: Any) -> Callable[[Blueprint], Any]:
    """``GET /things/<product>`` with these options of its answer."""

    def add(blueprint: Blueprint) -> None:
        @blueprint.get("/<product>")
        @blueprint.arguments(Query, location="query")
        @blueprint.answers(Thing, "The thing", **options)
        def show(query: dict[str, Any], product: str) -> Response:
            """Show it.

            In full, as it is.
            """
            return json_response({})

    return add


def make(blueprint: Blueprint) -> None:
    @blueprint.post("")
    @blueprint.arguments(NewThingSchema, example={"name": "lamp"})
    @blueprint.answers(Thing, "Made", status=201, problems=(Conflict,), example=Thing(name="lamp", size=None))
    @blueprint.answers(None, "There already", status=204)
    def make_thing(body: dict[str, Any]) -> Response:
        """Make it."""
        return json_response({})


def operation(document: dict[str, Any], path: str = "/things/{product}", method: str = "get") -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path][method]
    return found


def codes(document: dict[str, Any], found: dict[str, Any], status: int) -> set[str]:
    """Codes of the problem that an operation documents for a status."""
    name = found["responses"][str(status)]["$ref"].rpartition("/")[2]
    schema = document["components"]["responses"][name]["content"]["application/problem+json"]["schema"]
    return set(schema["allOf"][1]["properties"]["code"]["enum"])


def test_docstring_name_and_tag_stand_in_the_operation() -> None:
    document = made(shown())
    found = operation(document)
    assert (found["summary"], found["description"]) == ("Show it.", "In full, as it is.")
    assert (found["operationId"], found["tags"]) == ("things_show", ["things"])
    assert {"name": "things", "description": "All about things"} in document["tags"]


def test_arguments_become_parameters() -> None:
    found = {item["name"]: item for item in operation(made(shown()))["parameters"]}
    assert found["product"]["in"] == "query"  # the one of the path is called alike, and is another parameter
    assert found["expiry"]["schema"] == {"type": "string", "format": "date"}
    assert found["limit"]["schema"] == {"type": "integer", "default": 10, "minimum": 1, "maximum": 100}
    assert found["limit"]["description"] == "at most so many"
    assert [arm.get("format") for arm in found["as_of"]["schema"]["anyOf"]] == ["date-time", None]
    assert (found["legs"]["style"], found["legs"]["explode"]) == ("form", False)
    assert found["legs"]["schema"]["maxItems"] == 8


def test_a_product_in_the_path_is_one_of_those_that_are_known() -> None:
    in_path = next(item for item in operation(made(shown()))["parameters"] if item["in"] == "path")
    assert in_path == {"name": "product", "in": "path", "required": True, **path_parameter("product")}


def test_a_body_is_referred_to_with_its_example() -> None:
    document = made(make)
    body = operation(document, "/things", "post")["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"] == {
        "schema": {"$ref": "#/components/schemas/NewThing"},
        "example": {"name": "lamp"},
    }
    schema = document["components"]["schemas"]["NewThing"]
    assert schema["required"] == ["name"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["note"]["type"] == ["string", "null"]
    assert schema["properties"]["expiry"]["anyOf"] == [{"type": "string", "format": "date"}, {"type": "null"}]


def test_answers_stack_and_carry_their_examples() -> None:
    document = made(make)
    responses = operation(document, "/things", "post")["responses"]
    assert "content" not in responses["204"]
    media = responses["201"]["content"]["application/json"]
    assert media == {
        "schema": {"$ref": "#/components/schemas/Thing"},
        "example": {"name": "lamp", "size": None, "parts": []},
    }
    assert document["components"]["schemas"]["Thing"]["description"].endswith("\n\nWith a second paragraph.")
    assert codes(document, operation(document, "/things", "post"), 409) == {"conflict"}


def test_the_frame_adds_what_it_may_answer() -> None:
    document = made(shown(problems=(UnknownProduct,)), make)
    reading, making = operation(document), operation(document, "/things", "post")
    assert set(reading["responses"]) == {"200", "401", "403", "404", "414", "422", "500", "503"}
    assert set(making["responses"]) - set(reading["responses"]) == {"201", "204", "400", "409", "413", "415"}
    assert codes(document, reading, 404) == {"unknown_product", "not_found"}
    assert codes(document, reading, 401) == {"token_missing", "token_invalid", "token_expired", "token_revoked"}
    assert "WWW-Authenticate" in document["components"]["headers"]


def test_problems_of_all_routes_are_added_to_each() -> None:
    document = made(shown(), problems=(RateLimited,))
    assert codes(document, operation(document), 429) == {"rate_limited"}
    assert codes(document, operation(document, "/livez"), 429) == {"rate_limited"}


def test_csv_and_etag_bring_what_belongs_to_them() -> None:
    found = operation(made(shown(csv=True, headers=("ETag", "As-Of"))))
    assert set(found["responses"]["200"]["content"]) == {"application/json", "text/csv"}
    assert set(found["responses"]["200"]["headers"]) == {"X-Request-ID", "ETag", "As-Of"}
    assert {"304", "406"} <= set(found["responses"])
    assert "If-None-Match" in {item["name"] for item in found["parameters"]}
    plain = operation(made(shown()))
    assert not {"304", "406"} & set(plain["responses"])


def test_guards_are_written_down() -> None:
    def guarded(blueprint: Blueprint) -> None:
        for mark, path in (
            (public, "/open"),
            (admin_only, "/admin"),
            (needs("account"), "/account"),
            (any_scope, "/any"),
        ):

            @mark
            def view() -> Response:
                """Look."""
                return json_response({})

            blueprint.add_url_rule(path, path[1:], view)

    paths = made(guarded, make, shown())["paths"]
    assert paths["/things/open"]["get"]["security"] == []
    assert "401" not in paths["/things/open"]["get"]["responses"]
    assert paths["/things/admin"]["get"]["x-roles"] == ["admin"]
    assert paths["/things/account"]["get"]["security"] == [{"bearerAuth": ["account"]}]
    assert paths["/things/any"]["get"]["security"] == [{"bearerAuth": []}]
    assert paths["/things"]["post"]["x-scope"] == "write"
    assert paths["/things/{product}"]["get"]["x-scope"] == "read"


def test_a_route_can_say_more_by_hand() -> None:
    def add(blueprint: Blueprint) -> None:
        @blueprint.get("/<int:number>/<string(length=8):name>")
        @blueprint.doc(
            security=[{"personalToken": []}],
            parameters=[{"name": "name", "in": "path", "description": "as in the catalogue"}],
        )
        def show(number: int, name: str) -> Response:
            """Show it."""
            return json_response({})

    document = made(add)
    found = operation(document, "/things/{number}/{name}")
    number, name = found["parameters"]
    assert (number["description"], number["schema"]) == ("number", {"type": "integer", "minimum": 0})
    assert (name["description"], name["required"]) == ("as in the catalogue", True)
    assert name["schema"] == {"type": "string", "minLength": 8, "maxLength": 8}
    assert set(document["components"]["securitySchemes"]) == {"personalToken"}


@pytest.mark.parametrize(
    "options",
    [
        {"headers": ("X-Invented",)},
        {"problems": (type("Invented", (AroError,), {"code": "invented", "status": 409}),)},
    ],
)
def test_what_nobody_knows_is_refused_at_start(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"(?i)invented"):
        made(shown(**options))


def test_one_name_for_two_schemas_is_refused_at_start() -> None:
    def add(blueprint: Blueprint) -> None:
        @blueprint.post("/other")
        @blueprint.arguments(type("Thing", (Schema,), {}))
        @blueprint.answers(Thing, "The thing")
        def other(_: Any) -> Response:
            """Other."""
            return json_response({})

    with pytest.raises(ValueError, match="both called Thing"):
        made(add)


def test_types_of_msgspec_are_described_too() -> None:
    def add(blueprint: Blueprint) -> None:
        @blueprint.get("/all")
        @blueprint.answers(list[Thing], "All")
        @blueprint.answers(Annotated[dict[str, int], msgspec.Meta(description="counts")], "Counts", status=202)
        def everything() -> Response:
            """All."""
            return json_response([])

    responses = operation(made(add), "/things/all")["responses"]
    assert responses["200"]["content"]["application/json"]["schema"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Thing"},
    }
    assert responses["202"]["content"]["application/json"]["schema"]["description"] == "counts"


def test_declaring_changes_nothing_at_the_view() -> None:
    def view() -> int:
        return 5

    assert answers(None, "Gone", status=204)(answers(Thing, "It")(view)) is view
    assert [answer.status for answer in answers_of(view)] == [204, 200]
    assert view() == 5


def test_the_document_is_served_to_anyone_and_kept_by_its_etag() -> None:
    app: Flask = create_app("documented", health=Health(), verifier=None)
    add_openapi(app, title="Things", description="About things.")
    client = app.test_client()
    first = client.get("/openapi.json")
    assert first.status_code == 200
    assert first.mimetype == "application/json"
    assert "max-age" in first.headers["Cache-Control"]
    assert "/openapi.json" in first.get_json()["paths"]
    again = client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.head("/openapi.json").headers["ETag"] == first.headers["ETag"]
