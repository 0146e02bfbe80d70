"""A process that cannot serve says why in one line and does not start."""

import os
import subprocess
import sys
from pathlib import Path

from auth_service.keys import KEY_FILE, load_or_create


def start(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("ARO_")}
    command = [sys.executable, "-m", "auth_service"]
    return subprocess.run(command, env={**own, **settings}, capture_output=True, text=True, timeout=30, check=False)


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("auth cannot start: ")
    return line


def test_without_settings_it_lists_what_is_missing() -> None:
    line = only_line(start({"ARO_LOG_LEVEL": "loud"}))
    for name in ("ARO_AUTH_KEY_DIR", "ARO_MONGO_URL", "ARO_PORT"):
        assert f"{name} is missing" in line
    assert "ARO_LOG_LEVEL must be one of" in line
    assert "ARO_REDIS_URL" not in line


def test_with_a_key_that_cannot_be_trusted_it_does_not_start(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    load_or_create(directory)
    (directory / KEY_FILE).chmod(0o644)
    settings = {"ARO_AUTH_KEY_DIR": str(directory), "ARO_MONGO_URL": "mongodb://127.0.0.1:1", "ARO_PORT": "1"}
    assert f"{KEY_FILE} is open to others (mode 0644)" in only_line(start(settings))


def test_a_proxy_that_is_no_network_is_named(tmp_path: Path) -> None:
    settings = {
        "ARO_AUTH_KEY_DIR": str(tmp_path / "keys"),
        "ARO_MONGO_URL": "mongodb://127.0.0.1:1",
        "ARO_PORT": "1",
        "ARO_TRUSTED_PROXIES": "10.0.0.0/8,everybody",
    }
    assert "ARO_TRUSTED_PROXIES must be networks, not 'everybody'" in only_line(start(settings))


def test_choices_are_named(tmp_path: Path) -> None:
    settings = {
        "ARO_REGISTRATION": "maybe",
        "ARO_EMAIL_VERIFICATION": "yes",
        "ARO_PASSWORD_PROFILE": "md5",
    }
    line = only_line(start(settings))
    for name in settings:
        assert f"{name} must be one of" in line
