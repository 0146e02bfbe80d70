"""``/``, ``/assets/*`` and ``/config.json``: the page of services/dashboard, as its build left it."""

import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask import Response, request
from werkzeug.exceptions import NotFound

from aro.contracts.problems import RateLimited, ServiceUnavailable
from aro.runtime.answers import answers
from aro.runtime.api import Blueprint
from aro.runtime.web import json_response, public

PAGE: Final = "index.html"
ASSETS: Final = "assets"
IMMUTABLE: Final = "public, max-age=31536000, immutable"
"""Names of assets hold a digest of what is in them."""
ASKED_EVERY_TIME: Final = "no-cache"
_PACKED: Final = (("br", ".br"), ("gzip", ".gz"))
"""Content codings in the order of preference, and what the build adds to the name of a file that it packed."""
_TEXT: Final = {"type": "string"}
_HEADERS: Final = ("ETag", "Cache-Control")
_CONFIG: Final = {
    "type": "object",
    "properties": {"socket_url": {"type": ["string", "null"]}},
    "required": ["socket_url"],
}


@dataclass(frozen=True, slots=True)
class _File:
    """`packed` by content coding."""

    plain: bytes
    packed: Mapping[str, bytes]
    version: str
    media_type: str


class Page:
    """The built page in `folder`, in memory; read again when a new build has replaced it. Safe for many threads."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._built: tuple[int, Mapping[str, _File]] | None = None

    def find(self, name: str) -> _File | None:
        """`name` is looked up among what the build made, and never becomes a path.

        Raises
        ------
        ServiceUnavailable
            If there is no page here: it was not built, or its folder is gone.
        """
        return self._files().get(name)

    def _files(self) -> Mapping[str, _File]:
        if self._folder is None:
            raise ServiceUnavailable(
                "this gateway has no dashboard: it was started without ARO_PAGE_DIR; the API is described at /docs"
            )
        try:
            version = (self._folder / PAGE).stat().st_mtime_ns
            if self._built is None or self._built[0] != version:
                self._built = (version, _read(self._folder))
        except OSError:
            raise ServiceUnavailable("the dashboard is not built; the API is described at /docs") from None
        return self._built[1]


def is_built(folder: Path) -> bool:
    return (folder / PAGE).is_file()


def dashboard_routes(page: Page, *, socket_url: str | None) -> Blueprint:
    blueprint = Blueprint("dashboard", __name__, description="The page that shows what the platform knows")
    policy = content_security(socket_url)

    @blueprint.get("/")
    @public
    @answers({"type": "object"}, "Where things are", problems=(RateLimited, ServiceUnavailable))
    @answers(_TEXT, "The page, for a browser", media_type="text/html", headers=_HEADERS)
    def index() -> Response:
        """The dashboard; a program that asks for JSON is told where the documents are."""
        if request.accept_mimetypes.best_match(("application/json", "text/html")) != "text/html":
            return _varied(
                json_response({"name": "Option ARO", "openapi": "/openapi.json", "docs": "/docs", "api": "/api/v1"})
            )
        response = _varied(_answer(page.find, PAGE, ASKED_EVERY_TIME))
        response.headers["Content-Security-Policy"] = policy
        return response

    @blueprint.get("/assets/<file>")
    @public
    @answers(_TEXT, "The file", media_type="*/*", headers=_HEADERS, problems=(RateLimited, ServiceUnavailable))
    def asset(file: str) -> Response:
        """What the dashboard is made of."""
        return _answer(page.find, f"{ASSETS}/{file}", IMMUTABLE)

    @blueprint.get("/config.json")
    @public
    @answers(_CONFIG, "What the dashboard has to know", headers=("Cache-Control",), problems=(RateLimited,))
    def config() -> Response:
        """Where sockets are: null means the origin that this was asked of."""
        response = json_response({"socket_url": socket_url})
        response.headers["Cache-Control"] = ASKED_EVERY_TIME
        return response

    return blueprint


def content_security(socket_url: str | None) -> str:
    """Scripts and styles come from files of this origin only, and no text ever becomes a script.

    The page talks to its own origin and to the socket-gateway; browsers differ in whether ``'self'`` is for
    WebSockets too, which only matters where the sockets are elsewhere.
    """
    connect = "'self'" if socket_url is None else f"'self' {socket_url} {socket_url.replace('http', 'ws', 1)}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
        f"connect-src {connect}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types lit-html"
    )


def _answer(find: Callable[[str], _File | None], name: str, caching: str) -> Response:
    file = find(name)
    if file is None:
        raise NotFound
    coding = next((coding for coding, _ in _PACKED if coding in file.packed and _accepts(coding)), None)
    response = Response(file.packed[coding] if coding else file.plain, content_type=file.media_type)
    if coding:
        response.headers["Content-Encoding"] = coding
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = caching
    response.set_etag(f"{file.version}-{coding}" if coding else file.version)
    return response.make_conditional(request)  # type: ignore[return-value]


def _accepts(coding: str) -> bool:
    return request.accept_encodings.quality(coding) > 0


def _varied(response: Response) -> Response:
    response.vary.add("Accept")
    return response


def _read(folder: Path) -> dict[str, _File]:
    names = [PAGE, *(f"{ASSETS}/{path.name}" for path in (folder / ASSETS).iterdir())]
    packed = tuple(suffix for _, suffix in _PACKED)
    return {name: _load(folder, name) for name in names if not name.endswith(packed)}


def _load(folder: Path, name: str) -> _File:
    plain = (folder / name).read_bytes()
    beside = {coding: folder / f"{name}{suffix}" for coding, suffix in _PACKED}
    packed = {coding: path.read_bytes() for coding, path in beside.items() if path.exists()}
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    media_type = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return _File(plain, packed, hashlib.sha256(plain).hexdigest()[:20], media_type)
