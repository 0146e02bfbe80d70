"""The grammar of client channels."""

import pytest

from aro.contracts.names import Channel, parse_channel
from aro.contracts.problems import UnknownChannel


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        ("status", Channel("status")),
        ("ticks:NIFTY", Channel("ticks", "NIFTY")),
        ("surface:NIFTY", Channel("surface", "NIFTY")),
        ("chain:NIFTY:2026-12-29", Channel("chain", "NIFTY", "2026-12-29")),
        ("metrics:NIFTY:*", Channel("metrics", "NIFTY", "*")),
        ("bars:NIFTY:1m", Channel("bars", "NIFTY", interval="1m")),
        ("replay:0123456789abcdef:status", Channel("status", session="0123456789abcdef")),
        ("replay:0123456789abcdef:ticks:NIFTY", Channel("ticks", "NIFTY", session="0123456789abcdef")),
        ("replay:0123456789abcdef:chain:NIFTY:*", Channel("chain", "NIFTY", "*", session="0123456789abcdef")),
    ],
)
def test_channels_parse_and_print_as_written(text: str, channel: Channel) -> None:
    assert parse_channel(text) == channel
    assert str(channel) == text


@pytest.mark.parametrize(
    "text",
    ["", "chain", "chain:NIFTY", "chain:NIFTY:", "chain:nifty:2026-12-29", "chain:NIFTY:2026-02-30", "ticks:",
     "ticks:NIFTY:2026-12-29", "status:x", "surface:NIFTY:2026-12-29", "surface:", "chain:NIFTY:2026-12-29\n",
     "ticks:A" + "B" * 40, "bars:NIFTY", "bars:NIFTY:5m", "bars:NIFTY:", "bars:NIFTY:2026-12-29", "bars:NIFTY:1m:x",
     "replay:", "replay:0123456789abcdef", "replay:0123456789abcdef:", "replay:0123456789ABCDEF:status",
     "replay:abc:status", "replay:0123456789abcdef:surface:NIFTY", "replay:0123456789abcdef:bars:NIFTY:1m",
     "replay:0123456789abcdef:replay:0123456789abcdef:status", "replay:0123456789abcdef:chain:NIFTY:2026-02-30"],
)  # fmt: skip
def test_anything_else_is_no_channel(text: str) -> None:
    with pytest.raises(UnknownChannel):
        parse_channel(text)
