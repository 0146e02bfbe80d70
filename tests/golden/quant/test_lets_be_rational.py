"""Against another implementation, whose numbers are in ``lets_be_rational.json`` with their provenance."""

import json
from pathlib import Path

import numpy as np
import pytest

from aro.quant.black import price
from aro.quant.implied import IvStatus, implied_volatility

pytestmark = pytest.mark.usefixtures("each_kernel")

EPS = 2.0**-52


@pytest.fixture(scope="module")
def cases() -> dict[str, np.ndarray]:
    document = json.loads(Path(__file__).with_name("lets_be_rational.json").read_text())
    rows = document["cases"]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def test_implied_volatilities_agree(cases: dict[str, np.ndarray]) -> None:
    found = implied_volatility(cases["price"], cases["forward"], cases["strike"], cases["years"], 1.0, cases["is_call"])
    assert found.iv.size >= 200
    assert (found.status == IvStatus.OK).all()
    np.testing.assert_allclose(found.iv, cases["iv"], rtol=1e-12)


def test_prices_agree(cases: dict[str, np.ndarray]) -> None:
    found = price(cases["forward"], cases["strike"], cases["years"], cases["sigma"], 1.0, cases["is_call"])
    k = np.abs(np.log(cases["forward"] / cases["strike"]))
    s = cases["sigma"] * np.sqrt(cases["years"])
    # What one rounding of ln(F/K) or of s does to the price, in either implementation.
    inherent = EPS * (1.0 + (k / s) ** 2 + (1.0 + k / s) / s)
    assert (np.abs(found / cases["price"] - 1.0) <= 16 * inherent).all()
