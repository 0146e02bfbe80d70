"""``python -m analytics_service``"""

import os
import sys

from analytics_service.app import create
from analytics_service.settings import AnalyticsSettings
from aro.runtime.logs import configure_logs
from aro.runtime.settings import SettingsError, load
from aro.runtime.wsgi import serve


def main() -> int:
    try:
        settings = load(AnalyticsSettings, os.environ)
    except SettingsError as error:
        print(f"analytics cannot start: {error}", file=sys.stderr)
        return 2
    ship_to = settings.redis_url if settings.log_shipping else None
    configure_logs("analytics", level=settings.log_level, ship_to=ship_to)
    serve(lambda: create(settings), host=settings.host, port=settings.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
