import math

import numpy as np
import pytest

from aro.quant.ratios import put_call_ratio, put_call_value_ratio, total

NAN = math.nan


def test_total_skips_what_is_not_known() -> None:
    np.testing.assert_array_equal(total([[1.0, NAN, 2.0], [NAN, NAN, NAN]]), [3.0, 0.0])
    assert float(total([])) == 0.0


def test_ratio_of_sums() -> None:
    assert float(put_call_ratio([30.0, NAN, 12.0], [20.0, 1.0, NAN])) == 2.0


@pytest.mark.parametrize("calls", [[0.0, 0.0], [NAN, NAN], []])
def test_ratio_without_calls_is_nan_and_never_zero_or_infinite(calls: list[float]) -> None:
    assert math.isnan(put_call_ratio([5.0, 5.0], calls))


def test_ratio_without_puts_is_zero() -> None:
    assert float(put_call_ratio([NAN, 0.0], [1.0, 1.0])) == 0.0


def test_value_ratio_weighs_by_premium_and_needs_both() -> None:
    ratio = put_call_value_ratio([10.0, 5.0, 7.0], [2.0, 4.0, NAN], [4.0, NAN], [5.0, 9.0])
    assert float(ratio) == (10 * 2 + 5 * 4) / (4 * 5)
    assert math.isnan(put_call_value_ratio([1.0], [1.0], [1.0], [NAN]))
