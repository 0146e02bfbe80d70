"""The whole profile that the flip is read off."""

import numpy as np
import pytest

from aro.quant.black import greeks
from aro.quant.exposure import NODE_FACTORS, NODES, exposure, gamma_flip, gamma_profile, nearest_root

pytestmark = pytest.mark.usefixtures("each_kernel")

K = np.arange(90.0, 111.0)
CALLS, PUTS = np.where(K > 100, 50.0, 5.0), np.where(K < 100, 80.0, 5.0)
IV = np.linspace(0.25, 0.18, 21)
YEARS, DISCOUNT, SIZE = 0.05, 0.99, 75.0


def profile(sign_model: str = "naive", **changes: np.ndarray) -> np.ndarray:
    arguments = {
        "offsets": np.array([0, 21]),
        "strikes": K,
        "call_iv": IV,
        "put_iv": IV,
        "call_open_interest": CALLS,
        "put_open_interest": PUTS,
        "forward": np.array([100.0]),
        "years": np.array([YEARS]),
        "discount": np.array([DISCOUNT]),
        "contract_size": np.array([SIZE]),
        **changes,
    }
    return gamma_profile(**arguments, sign_model=sign_model)


@pytest.mark.parametrize("sign_model", ["naive", "all_short"])
def test_each_point_is_the_exposure_of_the_book_repriced_there(sign_model: str) -> None:
    found = profile(sign_model)
    assert found.shape == (NODES, 1)
    for factor, value in zip(NODE_FACTORS, found[:, 0], strict=True):
        g = greeks(100.0 * factor, K, YEARS, IV, DISCOUNT, True).gamma
        expected = exposure(K, g, g, CALLS, PUTS, 100.0 * factor, SIZE, sign_model)
        assert value == pytest.approx(float(expected.net), rel=1e-9)


def test_its_root_is_the_flip() -> None:
    root = nearest_root(NODE_FACTORS, profile())
    flip = gamma_flip(np.array([0, 21]), K, IV, IV, CALLS, PUTS, np.array([99.0]), np.array([100.0]), np.array([YEARS]))
    assert flip[0] == pytest.approx(99.0 * root[0], rel=1e-12)


def test_chains_do_not_disturb_each_other() -> None:
    twice = profile(
        offsets=np.array([0, 21, 42]),
        strikes=np.tile(K, 2),
        call_iv=np.tile(IV, 2),
        put_iv=np.tile(IV, 2),
        call_open_interest=np.concatenate([CALLS, 2 * CALLS]),
        put_open_interest=np.concatenate([PUTS, 2 * PUTS]),
        forward=np.array([100.0, 100.0]),
        years=np.array([YEARS, YEARS]),
        discount=np.array([DISCOUNT, DISCOUNT]),
        contract_size=np.array([SIZE, SIZE]),
    )
    np.testing.assert_allclose(twice[:, 0], profile()[:, 0])
    np.testing.assert_allclose(twice[:, 1], 2 * profile()[:, 0])


def test_without_a_forward_nothing_is_known() -> None:
    assert np.isnan(profile(forward=np.array([np.nan]))).all()
    empty = np.empty(0)
    assert profile(
        offsets=np.array([0]), strikes=empty, call_iv=empty, put_iv=empty, call_open_interest=empty,
        put_open_interest=empty, forward=empty, years=empty, discount=empty, contract_size=empty,
    ).shape == (NODES, 0)  # fmt: skip
