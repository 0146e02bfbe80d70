"""``/openapi.json``."""

from flask import Response, request

from api_gateway.documents import Documents
from aro.contracts.problems import RateLimited
from aro.runtime.answers import answers
from aro.runtime.api import Blueprint
from aro.runtime.web import public

DOCUMENT_SECONDS = 60


def front_routes(documents: Documents) -> Blueprint:
    blueprint = Blueprint("documents", __name__, description="Where to begin")

    @blueprint.get("/openapi.json")
    @public
    @answers({"type": "object"}, "This document", headers=("ETag", "Cache-Control"), problems=(RateLimited,))
    def openapi() -> Response:
        """What all services answer, in one OpenAPI 3.1 document."""
        document = documents.current
        response = Response(document.body, mimetype="application/json")
        response.headers["Cache-Control"] = f"public, max-age={DOCUMENT_SECONDS}"
        response.set_etag(document.version)
        return response.make_conditional(request)  # type: ignore[return-value]

    return blueprint
