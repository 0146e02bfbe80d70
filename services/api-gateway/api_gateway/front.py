"""``/`` and ``/openapi.json``."""

from flask import Response, redirect, request

from api_gateway.documents import Documents
from aro.contracts.problems import RateLimited
from aro.runtime.answers import answers
from aro.runtime.api import Blueprint
from aro.runtime.web import json_response, public

DOCUMENT_SECONDS = 60


def front_routes(documents: Documents) -> Blueprint:
    blueprint = Blueprint("documents", __name__, description="Where to begin")

    @blueprint.get("/")
    @public
    @answers({"type": "object"}, "Where things are", problems=(RateLimited,))
    @answers(None, "To the page, for a browser", status=302, headers=("Location",))
    def index() -> Response:
        """Where the documents are; a browser is sent to the page."""
        if request.accept_mimetypes.best_match(("application/json", "text/html")) == "text/html":
            return redirect("/docs")  # type: ignore[return-value]
        return json_response({"name": "Option ARO", "openapi": "/openapi.json", "docs": "/docs", "api": "/api/v1"})

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
