"""``python -m auth_service``, and ``… admin …`` and ``… keys …`` for operators."""

import argparse
import getpass
import os
import sys

from aro.runtime.logs import configure_logs
from aro.runtime.settings import SettingsError, load
from auth_service.commands import CommandFailed, add_parsers, run_admin, run_keys
from auth_service.keys import KeyUnusable, load_or_create
from auth_service.settings import AdminSettings, AuthSettings, KeySettings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m auth_service", description="Serve, unless a command is given.")
    add_parsers(parser)
    arguments = parser.parse_args()
    try:
        return _serve() if arguments.group is None else _command(arguments)
    except (SettingsError, KeyUnusable) as error:
        print(f"auth cannot start: {error}", file=sys.stderr)
        return 2


def _serve() -> int:
    # Commands do without the web frame, which takes a second to load.
    from aro.runtime.wsgi import serve
    from auth_service.app import create

    settings = load(AuthSettings, os.environ)
    ship_to = settings.redis_url if settings.log_shipping else None
    configure_logs("auth", level=settings.log_level, ship_to=ship_to)
    load_or_create(settings.key_dir, settings.key_group)
    serve(lambda: create(settings), host=settings.host, port=settings.port)
    return 0


def _command(arguments: argparse.Namespace) -> int:
    configure_logs("auth", level="WARNING")
    try:
        if arguments.group == "keys":
            lines = run_keys(arguments, load(KeySettings, os.environ))
        else:
            lines = run_admin(arguments, load(AdminSettings, os.environ), _ask_password)
    except CommandFailed as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


def _ask_password() -> str:
    """Typed twice at a terminal, else the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CommandFailed("the two are not the same")
    return password


if __name__ == "__main__":
    sys.exit(main())
