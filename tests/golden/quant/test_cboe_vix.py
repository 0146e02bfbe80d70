"""The worked example of Cboe's VIX white paper, to the digits that it prints; provenance in ``cboe_vix.json``."""

import json
from pathlib import Path

import numpy as np
import pytest

from aro.quant.variance_index import MINUTES_PER_YEAR, Strip, Term, index, strip


@pytest.fixture(scope="module")
def paper() -> dict:
    return json.loads(Path(__file__).with_name("cboe_vix.json").read_text())


def built(term: dict) -> tuple[float, Strip]:
    years = term["minutes"] / MINUTES_PER_YEAR
    return years, strip(*np.array(term["rows"]).T, years, term["rate"])


@pytest.mark.parametrize("name", ["near", "next"])
def test_each_term_to_the_printed_digits(paper: dict, name: str) -> None:
    printed = paper[name]["printed"]
    years, found = built(paper[name])
    assert round(years, 7) == printed["years"]
    assert round(found.forward, 5) == printed["forward"]
    assert found.at_strike == printed["at_strike"]
    assert (found.strikes[0], found.strikes[-1]) == (printed["least_strike"], printed["greatest_strike"])
    assert round((found.forward / found.at_strike - 1) ** 2 / years, 8) == printed["forward_term"]
    assert round(found.variance, 8) == printed["variance"]


def test_the_index_to_the_printed_digits(paper: dict) -> None:
    terms = []
    for name in ("near", "next"):
        years, found = built(paper[name])
        terms.append(Term(years, found.variance))
    assert round(index(*terms), 6) == paper["printed"]["index"]
    assert round(index(*terms), 2) == paper["printed"]["published"]
