import stat
import threading

import pytest
from local.home import Home, HomeError, default_home


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_in_it_is_private(tmp_path):
    home = Home(tmp_path / "home")
    home.prepare()
    home.redis_password()
    home.write_state({"checkout": "x"})
    assert {mode(path) for path in [home.path, *home.path.rglob("*")] if path.is_dir()} == {0o700}
    assert {mode(path) for path in home.path.rglob("*") if path.is_file()} == {0o600}


def test_an_existing_folder_is_closed_to_others(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir(mode=0o755)
    Home(folder).prepare()
    assert mode(folder) == 0o700


def test_password_is_made_once_and_differs_between_platforms(tmp_path):
    first, second = Home(tmp_path / "a"), Home(tmp_path / "b")
    first.prepare()
    second.prepare()
    assert first.redis_password() == Home(tmp_path / "a").redis_password()
    assert first.redis_password() != second.redis_password()
    assert len(first.redis_password()) >= 32


def test_wipe_deletes_only_what_the_platform_made(tmp_path):
    home = Home(tmp_path)
    home.prepare()
    home.redis_password()
    home.write_state({})
    (tmp_path / "thesis.txt").write_text("mine")
    home.wipe()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_path_too_long_for_the_socket_is_said(tmp_path):
    with pytest.raises(HomeError, match="too long"):
        Home(tmp_path / ("x" * 100)).prepare()


def test_path_that_supervisor_would_misread_is_said(tmp_path):
    with pytest.raises(HomeError, match="may not hold a %"):
        Home(tmp_path / "100%").prepare()


def test_a_file_in_the_way_is_said(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(HomeError, match="set ARO_HOME"):
        Home(tmp_path / "home").prepare()


def test_second_script_waits_for_the_first(tmp_path):
    home, order = Home(tmp_path), []

    def second():
        with home.lock():
            order.append("second")

    with home.lock():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_default_follows_xdg():
    assert str(default_home({"XDG_STATE_HOME": "/state", "HOME": "/h"})) == "/state/option-aro"
    assert str(default_home({"HOME": "/h"})) == "/h/.local/state/option-aro"
