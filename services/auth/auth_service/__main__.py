"""``python -m auth_service``"""

import os
import sys

from aro.runtime.logs import configure_logs
from aro.runtime.settings import SettingsError, load
from aro.runtime.wsgi import serve
from auth_service.app import create
from auth_service.keys import KeyUnusable, load_or_create
from auth_service.settings import AuthSettings


def main() -> int:
    try:
        settings = load(AuthSettings, os.environ)
        configure_logs("auth", level=settings.log_level)
        key = load_or_create(settings.key_dir)
    except (SettingsError, KeyUnusable) as error:
        print(f"auth cannot start: {error}", file=sys.stderr)
        return 2
    serve(lambda: create(settings, key), host=settings.host, port=settings.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
