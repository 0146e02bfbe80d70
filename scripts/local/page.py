"""The dashboard of a local platform: where its build is, and an address that logs a browser in."""

import http.client
import os
import subprocess
import sys
from typing import Final

from local.account import DEMO_EMAIL, AccountError
from local.home import Home
from local.processes import MARK
from local.programs import LOOPBACK, environment
from local.settings import LocalSettings

_OK: Final = 200
_SECONDS: Final = 30.0


def page_link(home: Home, settings: LocalSettings) -> str | None:
    """An address of the page, with the demo account logged in; None if the api-gateway has no page.

    What makes it has the database, as an operator does: no route, and no password that everybody knows, is needed.
    Raises `AccountError`.
    """
    if not _is_served(settings.api_port):
        return None
    page = f"http://{LOOPBACK}:{settings.api_port}"
    result = subprocess.run(
        [sys.executable, "-m", "auth_service", "admin", "link", DEMO_EMAIL, "--page", page],
        env={**os.environ, **environment(home, settings, home.redis_password()), MARK: str(home.path)},
        cwd=home.run,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        raise AccountError(f"auth makes no link to the page: {result.stderr.strip()}")
    return result.stdout.strip()


def _is_served(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/", headers={"Accept": "text/html"})
        return connection.getresponse().status == _OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
