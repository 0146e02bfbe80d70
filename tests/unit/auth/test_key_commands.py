import argparse
import os
import stat

import pytest

from auth_service.commands import CommandFailed, add_parsers, run_keys
from auth_service.keys import KEY_FILE, NEXT_FILE
from auth_service.settings import KeySettings


@pytest.fixture
def keys(tmp_path):
    def run(*words):
        parser = argparse.ArgumentParser()
        add_parsers(parser)
        return run_keys(parser.parse_args(["keys", *words]), KeySettings(key_dir=tmp_path / "keys"))

    return run


def test_create_makes_what_a_first_start_makes(keys, tmp_path):
    lines = keys("create")
    assert [line.split()[0] for line in lines] == ["current", "next"]
    assert sorted(os.listdir(tmp_path / "keys")) == sorted([KEY_FILE, NEXT_FILE])
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_create_again_changes_no_key(keys):
    first = keys("create")
    assert [line.split()[:2] for line in keys("create")] == [line.split()[:2] for line in first]
    assert [line.split()[:2] for line in keys("list")] == [line.split()[:2] for line in first]


def test_list_makes_none(keys, tmp_path):
    with pytest.raises(CommandFailed):
        keys("list")
    assert not (tmp_path / "keys").exists()


def test_create_refuses_keys_that_others_can_read(keys, tmp_path):
    keys("create")
    (tmp_path / "keys" / KEY_FILE).chmod(0o644)
    with pytest.raises(CommandFailed, match="open to others"):
        keys("create")
