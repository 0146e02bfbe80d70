"""``python -m api_gateway``"""

import os
import sys

from api_gateway.app import create, verify
from api_gateway.settings import ApiGatewaySettings
from aro.runtime.logs import configure_logs
from aro.runtime.settings import SettingsError, load
from aro.runtime.wsgi import serve

THREADS = 48
"""Each of four upstreams holds 16 at the most, and one that fails alone leaves 32 to the others; an idle thread is
cheap."""


def main() -> int:
    try:
        settings = load(ApiGatewaySettings, os.environ)
        verify(settings)
    except SettingsError as error:
        print(f"api-gateway cannot start: {error}", file=sys.stderr)
        return 2
    ship_to = settings.redis_url if settings.log_shipping else None
    configure_logs("api-gateway", level=settings.log_level, ship_to=ship_to)
    serve(lambda: create(settings), host=settings.host, port=settings.port, threads=THREADS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
