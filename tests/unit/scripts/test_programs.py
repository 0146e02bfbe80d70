import configparser
import stat
from pathlib import Path

import pytest
from local import schema, supervision
from local.home import Home
from local.programs import FEED, STORES, TIERS, FeedOptions, environment, programs
from local.settings import LocalSettings
from supervisor.options import ServerOptions

from aro.contracts.problems import UnknownProduct
from aro.runtime.settings import SettingsError, load


@pytest.fixture
def home(tmp_path_factory):
    # Not tmp_path, which is as long as the test's name: a control socket has to fit.
    home = Home(tmp_path_factory.mktemp("home") / "a folder of ours")
    home.prepare()
    return home


def plan(home, feed=None, **environ):
    return programs(home, load(LocalSettings, environ), feed or FeedOptions())


def test_every_program_has_its_own_ports_and_variables_that_move_them(home):
    usual = plan(home)
    assert [program.name for program in usual] == list(TIERS)
    ports = {variable: port for program in usual for variable, port in program.ports.items()}
    assert len(set(ports.values())) == len(ports) == len(usual) + 1
    moved = plan(home, **{variable: str(port + 1) for variable, port in ports.items()})
    assert {variable: port for program in moved for variable, port in program.ports.items()} == {
        variable: port + 1 for variable, port in ports.items()
    }


def test_http_programs_are_told_their_ports(home):
    for program in plan(home):
        if program.kind == "http":
            told = {program.environ[name] for name in ("ARO_PORT", "ARO_OPERATIONS_PORT") if name in program.environ}
            assert told == {str(port) for port in program.ports.values()}


def test_only_what_is_behind_the_api_gateway_believes_it(home):
    trusting = {program.name for program in plan(home) if "ARO_TRUSTED_PROXIES" in program.environ}
    assert trusting == {"auth", "storage", "analytics", "logging"}


def test_no_embedded_mongo_beside_a_given_one(home):
    assert "mongo" not in {program.name for program in plan(home, ARO_MONGO_URL="mongodb://elsewhere")}
    settings = load(LocalSettings, {"ARO_MONGO_URL": "mongodb://elsewhere"})
    assert environment(home, settings, "secret")["ARO_MONGO_URL"] == "mongodb://elsewhere"


def test_bad_port_is_refused():
    with pytest.raises(SettingsError, match="ARO_AUTH_PORT"):
        load(LocalSettings, {"ARO_AUTH_PORT": "eighty"})


def test_stores_end_last_and_the_feed_first():
    assert {name for name, tier in TIERS.items() if tier == STORES} == {"redis", "mongo"}
    assert max(TIERS, key=lambda name: TIERS[name]) == "feed"
    assert max(TIERS.values()) == FEED


@pytest.mark.parametrize(
    ("feed", "arguments"),
    [
        (FeedOptions(), ["--provider", "synthetic"]),
        (FeedOptions(None, ("NIFTY", "SPY")), ["--provider", "synthetic", "--products", "NIFTY,SPY"]),
        (FeedOptions(Path("/x.json")), ["--provider", "replay", "--file", "/x.json", "--loop"]),
    ],
)
def test_feed_arguments(feed, arguments):
    assert feed.arguments() == arguments


def test_feed_options_are_checked_before_anything_starts(tmp_path):
    with pytest.raises(UnknownProduct):
        FeedOptions(None, ("NIFTTY",)).check()
    with pytest.raises(FileNotFoundError, match="replay"):
        FeedOptions(tmp_path / "missing.json").check()


def test_no_secret_is_on_a_command_line_nor_readable_by_others(home):
    password = home.redis_password()
    supervision.write_configuration(home, plan(home), password)
    assert password not in " ".join(part for program in plan(home) for part in program.command)
    for file in (home.configuration, home.redis_configuration):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert password not in home.configuration.read_text()


def test_supervisor_itself_reads_back_what_was_written(home):
    supervision.write_configuration(home, plan(home, FeedOptions(Path("/a b/50%.json"))), home.redis_password())
    options = ServerOptions()
    options.configfile = str(home.configuration)
    with home.configuration.open() as file:
        options.configroot.supervisord.process_group_configs = []
        options.read_config(file)
    found = {group.name: group.process_configs[0] for group in options.configroot.supervisord.process_group_configs}
    assert all(config.autostart for config in found.values())
    assert set(found) == set(TIERS)
    assert found["feed"].command.endswith("--provider replay --file '/a b/50%.json' --loop")
    assert found["auth"].environment == {"ARO_PORT": "8020", "ARO_TRUSTED_PROXIES": "127.0.0.1/32"}
    assert found["work"].stopwaitsecs == 25
    assert found["work"].stdout_logfile == str(home.log("work"))
    assert all(config.autorestart and config.startretries == supervision.RETRIES for config in found.values())
    assert found["redis"].priority < found["auth"].priority < found["work"].priority < found["feed"].priority


def test_others_wait_where_the_database_has_no_collections_yet(home):
    text = supervision.configuration(home, plan(home), only_stores=True)
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    waiting = {name for name in TIERS if parser[f"program:{name}"]["autostart"] == "false"}
    assert waiting == set(TIERS) - {"redis", "mongo"}


@pytest.mark.parametrize(
    ("state", "environ", "made"),
    [
        (None, {}, False),
        ({"feed": {}}, {}, False),
        ({"collections": ["users"]}, {}, False),
        ({"collections": schema.COLLECTIONS}, {}, True),
        (None, {"ARO_MONGO_URL": "mongodb://elsewhere"}, True),
    ],
)
def test_collections_are_made_once_by_the_one_who_starts(state, environ, made):
    assert schema.is_made(state, load(LocalSettings, environ)) is made
