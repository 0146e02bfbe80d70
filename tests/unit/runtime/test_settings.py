"""Settings: typed, complete, or no start."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.runtime.settings import Secret, SettingsError, load, setting


@dataclass(frozen=True, kw_only=True)
class Example:
    url: Secret = setting("ARO_URL", "where it is")
    port: int = setting("ARO_PORT", "port to listen on", minimum=1)
    hours: float = setting("ARO_HOURS", "hours", default=2.0, minimum=0.1)
    loud: bool = setting("ARO_LOUD", "whether to shout", default=False)
    names: tuple[str, ...] = setting("ARO_NAMES", "names, comma between", default=())
    limit: int | None = setting("ARO_LIMIT", "no limit if not set", default=None, minimum=0)
    level: str = setting("ARO_LEVEL", "level", default="INFO", choices=("INFO", "DEBUG"))
    directory: Path = setting("ARO_DIRECTORY", "a directory", default=Path("/nowhere"))


REQUIRED = {"ARO_URL": "redis://:secret@host", "ARO_PORT": "8030"}


def test_defaults_fill_what_is_not_required() -> None:
    loaded = load(Example, REQUIRED)
    assert loaded == Example(url=Secret("redis://:secret@host"), port=8030)
    assert (loaded.hours, loaded.loud, loaded.names, loaded.limit) == (2.0, False, (), None)


def test_every_type_is_parsed() -> None:
    given_ = {
        **REQUIRED,
        "ARO_HOURS": "0.5",
        "ARO_LOUD": "Yes",
        "ARO_NAMES": "NIFTY, SPY,,",
        "ARO_LIMIT": "0",
        "ARO_LEVEL": "DEBUG",
        "ARO_DIRECTORY": "/tmp/keys",
    }
    loaded = load(Example, given_)
    assert (loaded.hours, loaded.loud, loaded.names, loaded.limit) == (0.5, True, ("NIFTY", "SPY"), 0)
    assert (loaded.level, loaded.directory) == ("DEBUG", Path("/tmp/keys"))


def test_one_start_lists_everything_that_is_wrong() -> None:
    with pytest.raises(SettingsError) as refusal:
        load(Example, {"ARO_PORT": "http", "ARO_HOURS": "0", "ARO_LOUD": "maybe", "ARO_LEVEL": "info"})
    text = str(refusal.value)
    assert "\n" not in text
    assert "ARO_URL is missing: where it is" in text
    assert "ARO_PORT must be a whole number, not 'http'" in text
    assert "ARO_HOURS must be at least 0.1, not 0" in text
    assert "ARO_LOUD must be true or false, not 'maybe'" in text
    assert "ARO_LEVEL must be one of INFO, DEBUG, not 'info'" in text


@pytest.mark.parametrize("empty", [{}, {"ARO_URL": ""}])
def test_an_empty_variable_is_a_missing_one(empty: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="ARO_URL is missing"):
        load(Example, {**empty, "ARO_PORT": "1"})


@pytest.mark.parametrize("text", ["false", "0", "no", "off", "False"])
def test_the_word_false_is_false(text: str) -> None:
    assert load(Example, {**REQUIRED, "ARO_LOUD": text}).loud is False


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_number_is_finite(number: str) -> None:
    with pytest.raises(SettingsError, match="ARO_HOURS"):
        load(Example, {**REQUIRED, "ARO_HOURS": number})


def test_a_file_may_hold_the_value(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("redis://from-a-file\n", encoding="utf-8")
    loaded = load(Example, {"ARO_URL_FILE": str(file), "ARO_URL": "redis://ignored", "ARO_PORT": "1"})
    assert loaded.url == "redis://from-a-file"


def test_a_file_that_is_not_there_is_a_fault_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ARO_URL .*gone"):
        load(Example, {"ARO_URL_FILE": str(tmp_path / "gone"), "ARO_PORT": "1"})


def test_a_secret_does_not_show_itself() -> None:
    loaded = load(Example, REQUIRED)
    assert "secret" not in repr(loaded)
    assert "secret" not in f"{loaded.url!r}"


def test_a_secret_that_does_not_parse_is_not_quoted() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Pin:
        pin: Secret = setting("ARO_PIN", "a pin", choices=("1",))

    with pytest.raises(SettingsError) as refusal:
        load(Pin, {"ARO_PIN": "hunter2"})
    assert "hunter2" not in str(refusal.value)


@given(st.dictionaries(st.sampled_from(["ARO_PORT", "ARO_HOURS", "ARO_LIMIT", "ARO_LOUD"]), st.text(max_size=20)))
def test_any_environment_loads_or_is_refused(environ: dict[str, str]) -> None:
    with suppress(SettingsError):
        assert load(Example, {"ARO_URL": "u", **environ}).port >= 1
