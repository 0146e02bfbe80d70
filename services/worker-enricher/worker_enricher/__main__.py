"""``python -m worker_enricher consume|work|beat|dead …``"""

import argparse
import os
import sys
import tempfile
from importlib import import_module

from aro.contracts.problems import AroError
from aro.runtime.logs import configure_logs
from aro.runtime.settings import SettingsError, load
from worker_enricher.settings import DeadLetterSettings, WorkerSettings

ROLES = {"consume": "hand ledger entries to Celery", "work": "run Celery workers", "beat": "send periodic tasks"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m worker_enricher")
    commands = parser.add_subparsers(dest="role", required=True)
    for role, text in ROLES.items():
        commands.add_parser(role, help=text)
    dead_parser = commands.add_parser("dead", help="list, re-send or drop dead letters")
    from worker_enricher import dead

    dead.add_arguments(dead_parser)
    arguments = parser.parse_args()
    try:
        return _dead(arguments) if arguments.role == "dead" else _run(arguments.role)
    except SettingsError as error:
        print(f"worker-enricher cannot start: {error}", file=sys.stderr)
        return 2


def _run(role: str) -> int:
    settings = load(WorkerSettings, os.environ)
    with tempfile.TemporaryDirectory(prefix=f"aro-{role}-") as folder:
        # Celery's pool makes temporary folders too, and forgets them.
        tempfile.tempdir = folder
        if role == "work":
            # Children count in files that the parent serves; the variable must be set before the first metric exists.
            os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
        ship_to = settings.redis_url if settings.log_shipping else None
        configure_logs(f"worker-enricher-{role}", level=settings.log_level, ship_to=ship_to)
        # Each brings along only what it needs: what computes is twice as large as what hands ids on.
        import_module(f"worker_enricher.role_{role}").run(settings)
    return 0


def _dead(arguments: argparse.Namespace) -> int:
    from aro.adapters import redis_client
    from aro.adapters.dead_letters import DeadLetters
    from worker_enricher import dead

    settings = load(DeadLetterSettings, os.environ)
    try:
        lines = dead.run(arguments, DeadLetters(redis_client.connect(settings.redis_url)))
    except AroError as error:
        print(error.detail, file=sys.stderr)
        return 1
    except redis_client.RedisError as error:
        print(f"redis does not answer: {type(error).__name__}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
