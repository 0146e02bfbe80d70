"""``python -m storage_service [migrate [--check] | provision]``"""

import os
import sys

from aro.runtime.logs import configure_logs
from aro.runtime.settings import SettingsError, load
from aro.runtime.wsgi import serve
from storage_service.app import create
from storage_service.commands import migrate_command, provision_command
from storage_service.settings import StorageSettings

COMMANDS = {"migrate": migrate_command, "provision": provision_command}


def main(arguments: list[str]) -> int:
    if arguments:
        command = COMMANDS.get(arguments[0])
        if command is None:
            print(f"no such command; there are: {', '.join(COMMANDS)}; without one it serves", file=sys.stderr)
            return 2
        return command(arguments[1:])
    try:
        settings = load(StorageSettings, os.environ)
    except SettingsError as error:
        print(f"storage cannot start: {error}", file=sys.stderr)
        return 2
    ship_to = settings.redis_url if settings.log_shipping else None
    configure_logs("storage", level=settings.log_level, ship_to=ship_to)
    serve(lambda: create(settings), host=settings.host, port=settings.port)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
