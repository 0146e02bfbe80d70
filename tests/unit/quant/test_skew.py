import math

import numpy as np
import pytest
from scipy.special import ndtr

from aro.quant.skew import skew, smile_weights
from aro.quant.svi import Svi, total_variance

pytestmark = pytest.mark.usefixtures("each_kernel")

NAN = math.nan
NIFTY = Svi(*(np.array([x]) for x in (0.0, 0.01794, -0.945, -0.0673, 0.0572)))
"""Definitions §11: a real NIFTY weekly, 5.62 days; ATMF 16.97, 25c 16.23, 25p 18.08, rr25 -1.85, bf25 0.18."""


def test_the_weekly_of_the_definitions() -> None:
    found = skew(NIFTY, np.array([5.62 / 365]))
    assert found.rr25[0] == pytest.approx(-0.0185, abs=1e-3)
    assert found.bf25[0] == pytest.approx(0.0018, abs=5e-4)
    assert found.iv_atm[0] == pytest.approx(0.1697, abs=1e-3)
    assert found.norm[0] == -found.rr25[0] / found.iv_atm[0]


def test_the_wings_have_the_deltas_they_are_named_for() -> None:
    T = 5.62 / 365
    found = skew(NIFTY, np.array([T]))
    k = np.linspace(-0.1, 0.1, 200_001)
    root = np.sqrt(total_variance(k, Svi(*(x[0] for x in NIFTY))))
    delta = ndtr(-k / root + root / 2)
    for target, sigma in ((0.25, found.call_25), (0.75, found.put_25)):
        assert sigma[0] == pytest.approx(root[np.argmin(np.abs(delta - target))] / math.sqrt(T), abs=1e-5)


def test_no_smile_no_skew() -> None:
    nothing = Svi(*(np.full(2, NAN) for _ in range(5)))
    assert np.isnan(np.stack(skew(nothing, np.array([0.1, 0.1])))).all()
    assert skew(Svi(*(np.empty(0) for _ in range(5))), np.empty(0)).rr25.shape == (0,)


def test_which_quotes_count() -> None:
    #         good  no iv  far out  wide  no bid iv but narrow  no ask iv
    iv = [0.20, NAN, 0.20, 0.20, 0.20, 0.20]
    bid, ask = [0.19, NAN, 0.19, 0.10, NAN, 0.19], [0.21, NAN, 0.21, 0.30, 0.04, NAN]
    weights = smile_weights(iv, bid, ask, [3.0] * 6, [-0.4, 0.4, 0.04, 0.4, 0.4, 0.4])
    assert weights.tolist() == [3.0, 0.0, 0.0, 0.0, 3.0, 0.0]
