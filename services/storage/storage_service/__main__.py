"""``python -m storage_service``"""

import os
import sys

from aro.runtime.logs import configure_logs
from aro.runtime.settings import SettingsError, load
from aro.runtime.wsgi import serve
from storage_service.app import create
from storage_service.settings import StorageSettings


def main() -> int:
    try:
        settings = load(StorageSettings, os.environ)
    except SettingsError as error:
        print(f"storage cannot start: {error}", file=sys.stderr)
        return 2
    configure_logs("storage", level=settings.log_level)
    serve(lambda: create(settings), host=settings.host, port=settings.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
