from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from aro.quant.expiry import years_to_expiry

EXPIRY = datetime(2026, 12, 29, 10, 10, tzinfo=UTC)  # 15:40 in India
MINUTE = 60 / (365 * 86_400)


def ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000)


def years_before(**distance: float) -> float:
    return float(years_to_expiry(ms(EXPIRY - timedelta(**distance)), ms(EXPIRY)))


def test_a_year_is_365_days_of_seconds() -> None:
    assert years_before(days=365) == 1.0
    assert years_before(hours=12) == pytest.approx(0.5 / 365, rel=1e-15)
    assert years_before(seconds=61) == pytest.approx(61 / 60 * MINUTE, rel=1e-15)


@pytest.mark.parametrize("milliseconds", [60_000, 59_999, 1_000, 1])
def test_the_last_minute_counts_whole(milliseconds: int) -> None:
    assert years_before(milliseconds=milliseconds) == MINUTE


@pytest.mark.parametrize("milliseconds", [0, -1, -86_400_000])
def test_at_and_after_expiry_it_is_exactly_zero(milliseconds: int) -> None:
    assert years_before(milliseconds=milliseconds) == 0.0


def test_arguments_broadcast() -> None:
    result = years_to_expiry(0, [0, 60_000, 365 * 86_400_000])
    np.testing.assert_array_equal(result, [0.0, MINUTE, 1.0])
    assert years_to_expiry(0, 1).shape == ()
