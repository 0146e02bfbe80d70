"""Which requests the fast path takes for its own, and which it leaves to the service behind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.question import JSON_TYPE, parse_question
from aro.contracts.shapes import AroundAtm, ChainShape, StrikeRange
from aro.contracts.tables import CSV_TYPE
from aro.testing import enriched

CHAIN = "/api/v1/chains/NIFTY"


def test_a_chain_in_every_respect() -> None:
    question = parse_question(CHAIN, "shape=rows&expiry=2026-12-29&fields=iv,spot&strikes=atm%C2%B15")
    assert question is not None
    assert (question.kind, question.product, question.expiry) == ("chain", "NIFTY", "2026-12-29")
    assert question.shape == ChainShape(AroundAtm(5), frozenset({"iv", "spot"}), rows=True)
    assert question.channel("2026-12-29") == "chain:NIFTY:2026-12-29"
    assert question.media == (JSON_TYPE, CSV_TYPE)


def test_metrics_and_surface() -> None:
    metrics = parse_question(f"{CHAIN}/metrics", "fields=pcr_oi")
    assert metrics is not None
    assert (metrics.fields, metrics.channel("2026-12-29")) == (frozenset({"pcr_oi"}), "metrics:NIFTY:2026-12-29")
    surface = parse_question("/api/v1/analytics/NIFTY/surface", "")
    assert surface is not None
    assert (surface.channel(""), surface.media) == ("surface:NIFTY", (JSON_TYPE,))


def test_the_look_does_not_depend_on_order_or_expiry() -> None:
    one = parse_question(CHAIN, "expiry=2026-12-29&strikes=atm:5&fields=iv")
    other = parse_question(CHAIN, "fields=iv&strikes=atm:5")
    assert one is not None
    assert other is not None
    assert one.look == other.look
    assert one.look != getattr(parse_question(CHAIN, "fields=iv&strikes=atm:6"), "look", None)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (CHAIN, "as_of=2026-11-22T10:00:00Z"),
        (CHAIN, "expiry=2026-12-29&expiry=2026-12-29"),
        (CHAIN, "expiry=20261229"),
        (CHAIN, "expiry=2026-02-30"),
        (CHAIN, "expiry"),
        (CHAIN, "expiry=%E9"),
        (CHAIN, "strikes=5..4"),
        (CHAIN, "fields="),
        (CHAIN, "shape=ROWS"),
        (f"{CHAIN}/metrics", "shape=rows"),
        (f"{CHAIN}/history", ""),
        (f"{CHAIN}/metrics/history", ""),
        ("/api/v1/chains", ""),
        ("/api/v1/chains/", ""),
        ("/api/v1/chains/nifty", ""),
        ("//api/v1/chains/NIFTY", ""),
        ("/api/v1/chains//metrics", ""),
        ("/api/v1/analytics/NIFTY/surface", "expiry=2026-12-29"),
        ("/api/v1/analytics/NIFTY/smile", ""),
    ],
)
def test_everything_else_is_not_a_question_for_the_newest_state(path: str, query: str) -> None:
    assert parse_question(path, query) is None


@given(path=st.text(max_size=60), query=st.text(max_size=60))
def test_whatever_is_sent_is_read_or_left(path: str, query: str) -> None:
    parse_question(path, "")
    question = parse_question(CHAIN, query)
    assert question is None or question.product == "NIFTY"


@given(low=st.integers(0, 30_000), high=st.integers(0, 30_000))
def test_a_question_renders_what_it_says(low: int, high: int) -> None:
    question = parse_question(CHAIN, f"strikes={low}..{high}")
    if low > high:
        assert question is None
        return
    assert question is not None
    assert question.shape.window == StrikeRange(low, high)
    assert question.render(enriched.record().data, JSON_TYPE).startswith(b'{"product":"NIFTY"')
