from dataclasses import replace
from pathlib import Path

import pytest
from local.home import Home
from local.programs import FeedOptions
from local.settings import LocalSettings
from local.starting import Started
from local.summary import summary

SYNTHETIC, NIFTY, REPLAY = FeedOptions(), FeedOptions(None, ("NIFTY",)), FeedOptions(Path("/captures/nifty.json"))


@pytest.mark.parametrize(
    ("before", "after", "hint"),
    [
        (SYNTHETIC, REPLAY, "expiries of the earlier feed (all default products, synthetic) are still stored"),
        (REPLAY, SYNTHETIC, "expiries of the earlier feed (replay of nifty.json) are still stored"),
        (SYNTHETIC, NIFTY, None),
        (REPLAY, REPLAY, None),
    ],
)
def test_another_kind_of_feed_finds_what_the_first_one_left(tmp_path, before, after, hint):
    text = summary(Started(Home(tmp_path), LocalSettings(), after, [], "eyJ", was_running=False, before=before))
    assert ("--clean" in text) == (hint is not None)
    assert hint is None or hint in text


def test_the_last_thing_said_is_where_the_page_is(tmp_path):
    page = "http://127.0.0.1:8000/#code=aro_rt_x"
    begun = Started(Home(tmp_path), LocalSettings(), SYNTHETIC, [], "eyJ", was_running=False, before=SYNTHETIC)
    assert summary(replace(begun, page=page)).splitlines()[-1].strip() == page
    assert "not there" in summary(begun).splitlines()[-1]
