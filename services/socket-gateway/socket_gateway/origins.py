"""Web pages of which origins may connect. Programs send no origin: they are let through, and need a token all the same.

A browser lets any page open a WebSocket to anywhere, so this is the server's to check. Pages cannot choose the headers
``Host`` and ``X-Forwarded-*``, so those may be believed here, whoever sends them.
"""

from collections.abc import Iterable
from typing import Any

from aro.runtime.origins import parse_origin


class Origins:
    def __init__(self, allowed: Iterable[str]) -> None:
        """The gateway's own origin only, if `allowed` is empty. Raises ValueError for what `parse_origin` refuses."""
        self._allowed = frozenset(parse_origin(text) for text in allowed)

    def admit(self, environ: dict[str, Any]) -> bool:
        """Whether the page behind this WSGI request, if it is one, may connect."""
        origin = environ.get("HTTP_ORIGIN")
        return origin is None or origin in (self._allowed or _own(environ))


def _own(environ: dict[str, Any]) -> set[str]:
    """As asked for here, and as asked for at the proxy before."""
    scheme, host = environ["wsgi.url_scheme"], environ.get("HTTP_HOST", "")
    front_scheme = environ.get("HTTP_X_FORWARDED_PROTO", scheme).partition(",")[0].strip()
    front_host = environ.get("HTTP_X_FORWARDED_HOST", host).partition(",")[0].strip()
    return {f"{scheme}://{host}", f"{front_scheme}://{host}", f"{front_scheme}://{front_host}"}
