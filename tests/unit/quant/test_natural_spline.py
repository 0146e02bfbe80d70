"""Against scipy's spline, and where it must be exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from aro.quant.natural_spline import natural_spline


@given(
    st.lists(st.tuples(st.floats(0.1, 50.0), st.floats(-1e3, 1e3)), min_size=2, max_size=60),
    st.floats(-1e5, 1e5),
)
def test_it_is_the_one_of_scipy(steps: list[tuple[float, float]], first: float) -> None:
    x = first + np.cumsum([step for step, _ in steps])
    y = np.array([value for _, value in steps])
    at = np.concatenate([x, np.linspace(x[0], x[-1], 97)])
    expected = CubicSpline(x, y, bc_type="natural")(at)
    scale = np.abs(expected).max() + 1.0
    np.testing.assert_allclose(natural_spline(x, y, at), expected, rtol=0.0, atol=1e-9 * scale)


def test_it_goes_through_its_points_and_not_beyond_them() -> None:
    x, y = np.array([1.0, 2.0, 4.0, 8.0]), np.array([3.0, -1.0, 2.0, 2.0])
    np.testing.assert_allclose(natural_spline(x, y, x), y, rtol=0.0, atol=1e-14)
    assert np.isnan(natural_spline(x, y, np.array([0.999, 8.001, np.nan]))).all()


def test_a_line_stays_a_line() -> None:
    x = np.array([0.0, 0.5, 3.0, 3.5])
    assert natural_spline(x, 2.0 * x - 1.0, np.array([1.7])) == pytest.approx(2.4, abs=1e-15)
