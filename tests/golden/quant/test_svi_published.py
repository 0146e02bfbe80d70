"""SVI examples printed in papers."""

import numpy as np
import pytest

from aro.quant.arbitrage import butterfly_violations, grid
from aro.quant.svi import Svi, durrleman, jump_wings, lee_violated, total_variance

VOGT = Svi(-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)
"""Gatheral and Jacquier (2014), arXiv:1204.0646, Example 3.1 (Axel Vogt): (a, b, m, ρ, σ) with T = 1. The paper
prints (a, b, m, ρ, σ) = (-0.0410, 0.1331, 0.3586, 0.3060, 0.4153)."""


@pytest.fixture
def vogt() -> Svi:
    return Svi(*(np.array([x]) for x in VOGT))


def test_the_vogt_smile_has_butterfly_arbitrage(vogt: Svi) -> None:
    found = butterfly_violations(vogt, grid(vogt, -1.5, 1.5), np.array([-1.0]), np.array([1.5]))
    assert [item.kind for item in found] == ["butterfly"]
    # The paper's Figure 1: g is negative between about 0.75 and 1.1, with its minimum near 0.9.
    assert 0.6 < found[0].k < 1.2
    assert found[0].depth > 0.0


def test_the_vogt_smile_is_above_zero_and_obeys_lee(vogt: Svi) -> None:
    # So neither the sign of w nor the wings gives it away, as the paper says.
    k = np.linspace(-1.5, 1.5, 301)
    assert (total_variance(k[None], vogt) > 0.0).all()
    assert (lee_violated(vogt) < 0.0).all()


def test_the_paper_repairs_it_by_its_wings() -> None:
    """Example 5.1: JW (v, ψ, p, c, ṽ) = (0.01742625, -0.1752111, 0.6997381, 1.316798, 0.0116249); with
    c = 0.3493158 and ṽ = 0.01548182 instead there is no arbitrage."""
    wings = jump_wings(VOGT, 1.0)
    np.testing.assert_allclose(wings, (0.01742625, -0.1752111, 0.6997381, 1.316798, 0.0116249), rtol=2e-3)
    v, psi, p, c, least = 0.01742625, -0.1752111, 0.6997381, 0.3493158, 0.01548182
    repaired = _from_jump_wings(v, psi, p, c, least)
    np.testing.assert_allclose(jump_wings(repaired, 1.0), (v, psi, p, c, least), rtol=1e-9)
    assert durrleman(np.linspace(-1.5, 1.5, 301), repaired).min() > 0.0


def _from_jump_wings(v: float, psi: float, p: float, c: float, least: float) -> Svi:
    """Lemma 3.2 of the paper at T = 1, for m != 0."""
    root = np.sqrt(v)
    b = 0.5 * root * (c + p)
    rho = 1.0 - p * root / b
    beta = rho - 2.0 * psi * root / b
    alpha = np.sign(beta) * np.sqrt(1.0 / beta**2 - 1.0)
    co_rho = np.sqrt(1.0 - rho**2)
    m = (v - least) / (b * (-rho + np.sign(alpha) * np.sqrt(1.0 + alpha**2) - alpha * co_rho))
    sigma = alpha * m
    return Svi(least - b * sigma * co_rho, b, rho, m, sigma)
