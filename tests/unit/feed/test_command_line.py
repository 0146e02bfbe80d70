"""Settings and options; a wrong start is one line."""

import pytest

from aro.contracts.problems import UnknownProduct
from aro.runtime.settings import SettingsError, load
from feed_generator import settings as declared
from feed_generator.__main__ import main, parser, variable
from feed_generator.provider import FeedError
from feed_generator.service import create_provider, open_truth
from feed_generator.settings import FeedSettings
from feed_generator.synthetic.markets import DEFAULT_PRODUCTS
from feed_generator.synthetic.scenarios import SCENARIOS

REQUIRED = {"ARO_REDIS_URL": "redis://127.0.0.1:1/0", "ARO_OPERATIONS_PORT": "8101"}
NOON = 1_795_348_800_000


def loaded(**values):
    return load(FeedSettings, {**REQUIRED, **{f"ARO_FEED_{name.upper()}": text for name, text in values.items()}})


def test_every_option_is_a_setting():
    names = {action.dest for action in parser()._actions} - {"help", "replay"}
    settable = {field.metadata["env"] for field in FeedSettings.__dataclass_fields__.values()}
    assert {variable(name) for name in names} <= settable


def test_scenarios_are_those_that_exist():
    assert set(declared.SCENARIOS) == set(SCENARIOS)


def test_defaults():
    batch = create_provider(loaded()).tick(NOON)
    assert [tick.product for tick in batch.ticks] == list(DEFAULT_PRODUCTS)


def test_products_are_chosen_and_named_once():
    batch = create_provider(loaded(products="SPY, NIFTY,SPY")).tick(NOON)
    assert [tick.product for tick in batch.ticks] == ["SPY", "NIFTY"]


@pytest.mark.parametrize(
    ("values", "error", "text"),
    [
        ({"products": "NIFTY,DAX"}, UnknownProduct, "DAX"),
        ({"provider": "replay"}, FeedError, "--file"),
        ({"provider": "replay", "file": "/nowhere.json"}, FeedError, "/nowhere.json"),
        ({"provider": "magic"}, SettingsError, "ARO_FEED_PROVIDER"),
        ({"scenario": "boom"}, SettingsError, "ARO_FEED_SCENARIO"),
        ({"interval": "0"}, SettingsError, "ARO_FEED_INTERVAL"),
        ({"seed": "-1"}, SettingsError, "ARO_FEED_SEED"),
        ({"from": "2026-11-22T09:15:00"}, SettingsError, "ARO_FEED_FROM"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name(values, error, text):
    with pytest.raises(error, match=text):
        create_provider(loaded(**values))


def test_a_truth_file_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(FeedError, match=r"truth\.jsonl: No such file"):
        open_truth(loaded(truth=str(tmp_path / "no" / "truth.jsonl")))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--products", "DAX"], "'DAX' is not a product"),
        (["--provider", "replay", "--file", "/nowhere.json"], "/nowhere.json: No such file"),
        (["--replay", "/nowhere.rec"], "/nowhere.rec: No such file"),
        (["--replay", __file__, "--from", "now"], "ARO_FEED_FROM must be"),
        (["record", "--out", "/nowhere/x.rec"], "No such file"),
        (["--interval", "x"], "ARO_FEED_INTERVAL must be a number"),
    ],
)
def test_a_wrong_start_is_one_line_and_exit_code_2(monkeypatch, capsys, options, text):
    for name, setting in REQUIRED.items():
        monkeypatch.setenv(name, setting)
    monkeypatch.setattr("sys.argv", ["feed_generator", *options])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main() == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
