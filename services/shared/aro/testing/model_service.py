"""A small service that uses everything the frame has: ``python -m aro.testing.model_service`` with `PORT` and `KEY`."""

import os
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask, Response, g, request
from marshmallow import Schema, fields
from marshmallow.validate import Length, OneOf, Range

from aro.adapters.tokens import StaticKeys, TokenVerifier
from aro.contracts.problems import Conflict, NotFound, UnknownProduct
from aro.contracts.products import product as find_product
from aro.runtime.api import Blueprint
from aro.runtime.health import Health
from aro.runtime.logs import configure_logs
from aro.runtime.openapi import add_openapi
from aro.runtime.queries import AsOfQuery, ExpiryDate, Whole, page_limit
from aro.runtime.web import admin_only, create_app, json_response, needs, preferred, public
from aro.runtime.wsgi import serve

PORT: Final = "ARO_PORT"
KEY: Final = "ARO_MODEL_KEY"
"""Variable with the public key of tokens, 32 bytes in hexadecimal."""
KID: Final = "model"
ISSUER: Final = "option-aro-auth"
AUDIENCE: Final = "option-aro"


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """A thing of somebody."""

    id: int
    name: str
    size: int
    note: str | None = None


class Things(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Thing]


class Price(msgspec.Struct, frozen=True, kw_only=True):
    product: str
    expiry: str | None
    as_of: int | None
    price: float


class NewThingSchema(Schema):
    name = fields.String(required=True, validate=Length(1, 20), metadata={"description": "what it is called"})
    size = Whole(load_default=1, strict=True, validate=Range(1, 5))
    note = fields.String(load_default=None, allow_none=True)


class ChangedThingSchema(Schema):
    size = Whole(required=True, strict=True, validate=Range(1, 5))


class ThingsQuery(Schema):
    limit = page_limit(usual=10, most=100)
    order = fields.String(load_default="up", validate=OneOf(["up", "down"]))


class PriceQuery(AsOfQuery):
    expiry = ExpiryDate(load_default=None)


def things_of_everybody() -> Blueprint:
    blueprint = Blueprint("things", __name__, url_prefix="/api/v1/things", description="Things")
    things: dict[tuple[str, int], Thing] = {}

    def mine(number: int) -> Thing:
        try:
            return things[g.principal.subject, number]
        except KeyError:
            raise NotFound("there is no such thing of yours") from None

    @blueprint.get("")
    @blueprint.arguments(ThingsQuery, location="query")
    @blueprint.answers(Things, "Your things")
    def listed(query: dict[str, Any]) -> Response:
        """Your things."""
        own = [thing for (owner, _), thing in sorted(things.items()) if owner == g.principal.subject]
        return json_response(Things(items=own[: query["limit"]] if query["order"] == "up" else own[::-1]))

    @blueprint.post("")
    @blueprint.arguments(NewThingSchema, example={"name": "lamp", "size": 2})
    @blueprint.answers(
        Thing, "Made", status=201, problems=(Conflict,), headers=("Location",), example=Thing(id=1, name="lamp", size=2)
    )
    def make(body: dict[str, Any]) -> Response:
        """Make a thing.

        Its name is its own within your things.
        """
        if any(owner == g.principal.subject and thing.name == body["name"] for (owner, _), thing in things.items()):
            raise Conflict("there is one with this name already")
        thing = Thing(id=len(things) + 1, **body)
        things[g.principal.subject, thing.id] = thing
        response = json_response(thing, 201)
        response.headers["Location"] = f"/api/v1/things/{thing.id}"
        return response

    @blueprint.get("/<int:number>")
    @blueprint.answers(Thing, "The thing", problems=(NotFound,), headers=("ETag",))
    def show(number: int) -> Response:
        """One thing of yours."""
        response = json_response(mine(number))
        response.add_etag()
        return response.make_conditional(request)  # type: ignore[return-value]

    @blueprint.patch("/<int:number>")
    @blueprint.arguments(ChangedThingSchema)
    @blueprint.answers(Thing, "Changed", problems=(NotFound,))
    def change(body: dict[str, Any], number: int) -> Response:
        """Change a thing."""
        things[g.principal.subject, number] = changed = msgspec.structs.replace(mine(number), **body)
        return json_response(changed)

    @blueprint.delete("/<int:number>")
    @blueprint.answers(None, "Gone", status=204, problems=(NotFound,))
    def remove(number: int) -> Response:
        """Remove a thing."""
        del things[g.principal.subject, mine(number).id]
        return Response(status=204)

    @blueprint.delete("")
    @admin_only
    @blueprint.answers(None, "All gone", status=204)
    def clear() -> Response:
        """Remove everybody's things."""
        things.clear()
        return Response(status=204)

    return blueprint


def prices() -> Blueprint:
    blueprint = Blueprint("prices", __name__, url_prefix="/api/v1/prices", description="Prices")

    @blueprint.get("/<product>")
    @blueprint.arguments(PriceQuery, location="query")
    @blueprint.answers(Price, "A price", problems=(UnknownProduct,), csv=True, headers=("As-Of",))
    def price(query: dict[str, Any], product: str) -> Response:
        """A price."""
        found = Price(product=find_product(product).name, expiry=query["expiry"], as_of=query["as_of"], price=1.5)
        if preferred("application/json", "text/csv") == "text/csv":
            response = Response("product,price\r\nNIFTY,1.5\r\n", mimetype="text/csv")
        else:
            response = json_response(found)
        response.headers["As-Of"] = "2026-12-29T10:00:00Z"
        return response

    @blueprint.get("")
    @needs("account")
    @blueprint.answers(Price, "A price")
    def secret() -> Response:
        """A price for the few."""
        return json_response(Price(product="NIFTY", expiry=None, as_of=None, price=2.5))

    @blueprint.post("")
    @public
    @blueprint.arguments(ChangedThingSchema)
    @blueprint.answers(dict[str, int], "The same")
    def echo(body: dict[str, Any]) -> Response:
        """Say it again."""
        return json_response(body)

    return blueprint


def create(key: Ed25519PublicKey) -> Flask:
    verifier = TokenVerifier(StaticKeys({KID: key}), issuer=ISSUER, audience=AUDIENCE)
    app = create_app("model", health=Health(), verifier=verifier)
    for blueprint in (things_of_everybody(), prices()):
        app.register_blueprint(blueprint)
    add_openapi(app, title="Model", description="A model of a service.")
    return app


if __name__ == "__main__":
    configure_logs("model", level="WARNING")
    public_key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(os.environ[KEY]))
    serve(lambda: create(public_key), host="127.0.0.1", port=int(os.environ[PORT]))
