"""The demo account of a local platform: made once through the api-gateway, its password kept in a private file."""

import http.client
import json
import secrets
import time
from typing import Any, Final

from local.home import Home, write_private
from local.programs import LOOPBACK

DEMO_EMAIL: Final = "demo@example.com"
_CREATED: Final = 201
_CONFLICT: Final = 409
_OK: Final = 200
_UNAVAILABLE: Final = 503
_SECONDS: Final = 10.0
_AWAY_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 0.5


class AccountError(Exception):
    """There is no token to be had; the text is one line for a person."""


def access_token(home: Home, port: int) -> str:
    """A fresh access token of the demo account, which is registered where it does not exist yet."""
    if not home.demo.exists():
        account = {"email": DEMO_EMAIL, "password": secrets.token_urlsafe(18)}
        write_private(home.demo, json.dumps(account))
    account = json.loads(home.demo.read_text(encoding="utf-8"))
    status, body = _post(port, "/api/v1/auth/login", account)
    if status != _OK:
        status, body = _post(port, "/api/v1/auth/register", account)
        if status not in (_CREATED, _CONFLICT):
            raise AccountError(f"auth does not register the demo account: {_words(status, body)}")
        exists = status == _CONFLICT  # also if an attempt to make it was cut off
        status, body = _post(port, "/api/v1/auth/login", account)
        if exists and status != _OK:
            raise AccountError(
                f"{account['email']} exists with another password than {home.demo} says; --clean starts afresh"
            )
    if status != _OK:
        raise AccountError(f"auth does not log the demo account in: {_words(status, body)}")
    token: str = body["access_token"]
    return token


def _post(port: int, path: str, value: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Asked again while a server behind it is away, as one may be for a moment on a busy machine."""
    until = time.monotonic() + _AWAY_SECONDS
    while True:
        status, body = _post_once(port, path, value)
        if status != _UNAVAILABLE or time.monotonic() > until:
            return status, body
        time.sleep(_PAUSE_SECONDS)


def _post_once(port: int, path: str, value: dict[str, str]) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_SECONDS)
    try:
        connection.request("POST", path, json.dumps(value), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise AccountError(f"the api-gateway does not answer: {type(error).__name__}") from None
    finally:
        connection.close()
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = {}
    return answer.status, parsed if isinstance(parsed, dict) else {}


def _words(status: int, body: dict[str, Any]) -> str:
    return str(body.get("detail") or f"HTTP {status}")
