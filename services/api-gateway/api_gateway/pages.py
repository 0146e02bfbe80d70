"""``/docs``: the API as a page that works without the internet. Swagger UI comes out of a package, ours are beside."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from flask import Response, request
from werkzeug.exceptions import NotFound

from aro.contracts.problems import RateLimited
from aro.runtime.answers import answers
from aro.runtime.api import Blueprint
from aro.runtime.web import public

ASSET_SECONDS: Final = 3_600
CONTENT_SECURITY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Swagger UI sets styles on its elements; scripts come from files only."""
_SWAGGER: Final = ("flask_swagger_ui", "dist")
_OWN: Final = ("api_gateway", "assets")
ASSETS: Final = {
    "swagger-ui.css": _SWAGGER,
    "swagger-ui-bundle.js": _SWAGGER,
    "favicon-32x32.png": _SWAGGER,
    "docs.css": _OWN,
    "docs.js": _OWN,
}
"""All that is served; a name in a URL never becomes a path."""
_PAGE: Final = "docs.html"
_TEXT: Final = {"type": "string"}
_HEADERS: Final = ("ETag", "Cache-Control")


@dataclass(frozen=True, slots=True)
class _Asset:
    plain: bytes
    packed: bytes
    version: str
    media_type: str


def page_routes() -> Blueprint:
    blueprint = Blueprint("pages", __name__, description="The page that shows this document")

    @blueprint.get("/docs")
    @public
    @answers(_TEXT, "The page", media_type="text/html", headers=_HEADERS, problems=(RateLimited,))
    def docs() -> Response:
        """This document as a page, to read and to try out."""
        response = _answer(_load(_OWN, _PAGE))
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY
        return response

    @blueprint.get("/docs/assets/<name>")
    @public
    @blueprint.doc(parameters=[{"name": "name", "in": "path", "schema": {"type": "string", "enum": sorted(ASSETS)}}])
    @answers(_TEXT, "The file", media_type="*/*", headers=_HEADERS, problems=(RateLimited,))
    def asset(name: str) -> Response:
        """What the page is made of."""
        if name not in ASSETS:
            raise NotFound
        return _answer(_load(ASSETS[name], name))

    return blueprint


def _answer(asset: _Asset) -> Response:
    packed = request.accept_encodings.quality("gzip") > 0
    response = Response(asset.packed if packed else asset.plain, content_type=asset.media_type)
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = f"public, max-age={ASSET_SECONDS}"
    response.set_etag(f"{asset.version}{'-gzip' if packed else ''}")
    return response.make_conditional(request)  # type: ignore[return-value]


@cache
def _load(place: tuple[str, str], name: str) -> _Asset:
    package, folder = place
    plain = files(package).joinpath(folder, name).read_bytes()
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    media_type = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return _Asset(plain, gzip.compress(plain, mtime=0), hashlib.sha256(plain).hexdigest()[:20], media_type)
