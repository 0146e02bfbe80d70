"""Levenberg-Marquardt for many small problems at once: one step of all of them is one set of array operations."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from aro.quant.arrays import FloatArray, IntArray

DAMPING_START: Final = 1e-3
DAMPING_LIMIT: Final = 1e9
DAMPING_UP, DAMPING_DOWN = 8.0, 0.2

Model = Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]
"""(parameters (active, p), indices of the active problems) → residuals (active, n), derivatives (active, n, p)."""


class Solution(NamedTuple):
    parameters: FloatArray
    """(problems, p)"""
    cost: FloatArray
    """Sum of squared residuals; infinite where the start already had none that is finite."""
    steps: int


def minimise(
    model: Model, start: FloatArray, low: FloatArray, high: FloatArray, *, steps: int, tolerance: float
) -> Solution:
    """Least squares of every problem inside its box [low, high] (problems, p).

    A problem rests once a step improves its cost by less than `tolerance` of it; steps that worsen it are not taken.
    """
    best = np.clip(start, low, high)
    active = np.arange(len(best))
    residuals, jacobian = model(best, active)
    cost = _cost(residuals)
    damping = np.full(len(best), DAMPING_START)
    active = active[np.isfinite(cost)]
    residuals, jacobian = residuals[np.isfinite(cost)], jacobian[np.isfinite(cost)]
    taken = 0
    for taken in range(1, steps + 1):  # noqa: B007
        if active.size == 0:
            break
        transposed = np.swapaxes(jacobian, -1, -2)
        gradient = (transposed @ residuals[..., None])[..., 0]
        hessian = transposed @ jacobian
        diagonal = np.einsum("sii->si", hessian)
        # Scaled by the diagonal, with a floor: a direction nothing depends on would leave the matrix singular.
        floor = 1e-12 * np.max(diagonal, axis=-1, keepdims=True) + 1e-300
        diagonal += damping[active, None] * np.maximum(diagonal, floor) + floor
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        tried = np.clip(best[active] - step, low[active], high[active])
        new_residuals, new_jacobian = model(tried, active)
        new_cost, old_cost = _cost(new_residuals), cost[active]
        better = new_cost < old_cost
        accepted = active[better]
        best[accepted], cost[accepted] = tried[better], new_cost[better]
        residuals[better], jacobian[better] = new_residuals[better], new_jacobian[better]
        damping[active] *= np.where(better, DAMPING_DOWN, DAMPING_UP)
        gained = old_cost - new_cost
        done = (better & (gained <= tolerance * old_cost)) | (damping[active] > DAMPING_LIMIT) | (old_cost == 0.0)
        keep = ~done
        active, residuals, jacobian = active[keep], residuals[keep], jacobian[keep]
    return Solution(best, cost, taken)


def _cost(residuals: FloatArray) -> FloatArray:
    cost = np.einsum("sn,sn->s", residuals, residuals)
    return np.where(np.isfinite(cost), cost, np.inf)
