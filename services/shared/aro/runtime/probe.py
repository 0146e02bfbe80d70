"""``python -m aro.runtime.probe``: exit 0 if the process in this container says that it is ready; for HEALTHCHECK.

Asks ``/readyz`` on ``ARO_OPERATIONS_PORT`` or, without one, on ``ARO_PORT``. Standard library only: it runs every few
seconds.
"""

import http.client
import os
import sys
from collections.abc import Mapping
from typing import Final

SECONDS: Final = 3.0
_LOOPBACK: Final = "127.0.0.1"


def main(environ: Mapping[str, str]) -> int:
    port = environ.get("ARO_OPERATIONS_PORT") or environ.get("ARO_PORT")
    if not port:
        print("neither ARO_OPERATIONS_PORT nor ARO_PORT is set", file=sys.stderr)  # noqa: T201
        return 2
    connection = http.client.HTTPConnection(_LOOPBACK, int(port), timeout=SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        print(type(error).__name__, file=sys.stderr)  # noqa: T201
        return 1
    finally:
        connection.close()
    print(body.decode("utf-8", "replace"))  # noqa: T201
    return 0 if answer.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main(os.environ))
