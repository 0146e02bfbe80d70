"""A fresh server gets the services' account, as often as it is asked for; a password that is wrong is said."""

import os
import subprocess
import sys
from pathlib import Path

import pymongo
import pytest

from aro.adapters.clock import SystemClock
from aro.adapters.mongo import MongoError
from aro.runtime.settings import Secret
from aro.testing.eventually import eventually
from aro.testing.servers import MongoServer, Process
from storage_service.migrations import pending
from storage_service.provision import ProvisionSettings, provision


def settings(server: MongoServer, password: str) -> ProvisionSettings:
    root = server.url.replace("://", "://root:of-no-use-here@") + "/?authSource=admin&directConnection=true"
    host = server.url.partition("://")[2]
    return ProvisionSettings(root_url=Secret(root), password=Secret(password), database="provisioned", members=(host,))


def client(server: MongoServer, password: str) -> pymongo.MongoClient:
    url = server.url.replace("://", f"://aro:{password}@") + "/?authSource=admin&directConnection=true"
    return pymongo.MongoClient(url, serverSelectionTimeoutMS=3_000)


def test_the_account_is_made_once_and_follows_its_password(mongo_server: MongoServer) -> None:
    provision(settings(mongo_server, "first"), SystemClock())
    with client(mongo_server, "first") as first:
        assert pending(first["provisioned"]) == []
        assert first["provisioned"]["things"].insert_one({"_id": 1}).acknowledged
    provision(settings(mongo_server, "second"), SystemClock())
    provision(settings(mongo_server, "second"), SystemClock())
    with client(mongo_server, "second") as second:
        assert second["provisioned"]["things"].count_documents({}) == 1
    with client(mongo_server, "first") as first, pytest.raises(MongoError):
        first["provisioned"]["things"].find_one()


def test_the_command_says_what_is_missing() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ARO_")}
    done = subprocess.run(
        [sys.executable, "-m", "storage_service", "provision"],
        check=False, capture_output=True, text=True, env=environ, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    assert "ARO_MONGO_ROOT_URL" in done.stderr


def test_it_waits_for_a_server_that_is_still_starting(tmp_path: Path) -> None:
    server = MongoServer(tmp_path)
    wanted = settings(server, "first")
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ARO_")},
        "ARO_MONGO_ROOT_URL": str(wanted.root_url),
        "ARO_MONGO_PASSWORD": "first",
        "ARO_MONGO_DATABASE": wanted.database,
        "ARO_MONGO_MEMBERS": ",".join(wanted.members),
    }
    command = Process(
        [sys.executable, "-m", "storage_service", "provision"], tmp_path / "provision.log", environ=environ
    )
    command.start()
    server.start()
    try:
        eventually(lambda: not command.is_running, "it to end", seconds=30)
        assert command.stop() == 0
        with client(server, "first") as found:
            assert pending(found["provisioned"]) == []
    finally:
        server.stop()
