"""``python -m aro.runtime.deployment SERVERS CLIENTS``: the secrets of a deployment, made once, in two shared folders.

SERVERS holds what Redis and MongoDB start with, CLIENTS the connection strings of the services. What exists is kept,
so that starting again changes no password. Files are readable by the user that runs this, and by nobody else.
"""

import argparse
import base64
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PASSWORD_BYTES: Final = 24
KEY_FILE_BYTES: Final = 756
"""MongoDB takes 6 to 1,024 characters of base64; this is what its manual makes."""
BROKER_DATABASE: Final = 1


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m aro.runtime.deployment", description=__doc__)
    parser.add_argument("servers", type=Path, help="folder for Redis and MongoDB")
    parser.add_argument("clients", type=Path, help="folder for the services")
    parser.add_argument("--grafana", type=Path, help="Grafana's own folder, for its admin password")
    parser.add_argument("--redis", default="redis:6379", help="host:port of Redis (default: %(default)s)")
    parser.add_argument(
        "--mongo", default="mongo:27017", help="host:port of MongoDB, or its members separated by commas"
    )
    parser.add_argument("--replica-set", help="its replica set; without one a single server is spoken to directly")
    options = parser.parse_args(arguments)
    try:
        made = write(
            options.servers,
            options.clients,
            redis=options.redis,
            mongo=options.mongo,
            replica_set=options.replica_set,
            grafana=options.grafana,
        )
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    print(f"made: {', '.join(made)}" if made else "every secret exists already")  # noqa: T201
    return 0


def write(
    servers: Path,
    clients: Path,
    *,
    redis: str,
    mongo: str,
    replica_set: str | None = None,
    grafana: Path | None = None,
) -> list[str]:
    """Make what is missing; the names of what was made. Connection strings follow from the passwords each time."""
    made: list[str] = []

    def kept(name: str, fresh: str, folder: Path = servers) -> str:
        path = folder / name
        if not path.exists():
            _write(path, fresh)
            made.append(name)
        return path.read_text(encoding="ascii").strip()

    redis_password = kept("redis_password", secrets.token_hex(PASSWORD_BYTES))
    root_password = kept("mongo_root_password", secrets.token_hex(PASSWORD_BYTES))
    password = kept("mongo_password", secrets.token_hex(PASSWORD_BYTES))
    kept("mongo_keyfile", base64.b64encode(secrets.token_bytes(KEY_FILE_BYTES)).decode())
    if grafana is not None:
        kept("admin_password", secrets.token_urlsafe(PASSWORD_BYTES), grafana)
    direct = "authSource=admin&directConnection=true"
    members = f"authSource=admin&replicaSet={replica_set}" if replica_set else direct
    derived = {
        servers / "redis.conf": f"requirepass {redis_password}",
        servers / "mongo_root_url": f"mongodb://root:{root_password}@{mongo.partition(',')[0]}/?{direct}",
        clients / "redis_url": f"redis://:{redis_password}@{redis}/0",
        clients / "broker_url": f"redis://:{redis_password}@{redis}/{BROKER_DATABASE}",
        clients / "mongo_url": f"mongodb://aro:{password}@{mongo}/?{members}",
    }
    for path, text in derived.items():
        _write(path, text)
    return made


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{text}\n")
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
