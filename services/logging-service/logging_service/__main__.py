"""``python -m logging_service``"""

import os
import sys

from aro.runtime.logs import configure_logs
from aro.runtime.settings import SettingsError, load
from aro.runtime.wsgi import serve
from logging_service.app import create
from logging_service.settings import LoggingSettings

NICENESS = 5
"""On a machine that is shared, everybody else comes first."""


def main() -> int:
    try:
        settings = load(LoggingSettings, os.environ)
    except SettingsError as error:
        print(f"logging-service cannot start: {error}", file=sys.stderr)
        return 2
    os.nice(NICENESS)
    ship_to = settings.redis_url if settings.log_shipping else None
    configure_logs("logging-service", level=settings.log_level, ship_to=ship_to)
    serve(lambda: create(settings), host=settings.host, port=settings.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
