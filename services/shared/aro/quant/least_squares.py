"""Levenberg-Marquardt for many small problems at once: one step of all of them is one set of array operations."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

import numpy as np

from aro.quant.arrays import FloatArray, IntArray

DAMPING_START: Final = 1e-3
DAMPING_LIMIT: Final = 1e9

Model = Callable[[FloatArray, IntArray], tuple[FloatArray, FloatArray]]
"""(parameters (active, p), indices of the active problems) → residuals (active, n), derivatives (active, n, p)."""


class Solution(NamedTuple):
    parameters: FloatArray
    """(problems, p)"""
    cost: FloatArray
    """Sum of squared residuals; infinite where the start already had none that is finite."""
    steps: int


def minimise(
    model: Model,
    start: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    steps: int,
    tolerance: float,
    negligible: float = 0.0,
) -> Solution:
    """Least squares of every problem inside its box [low, high] (problems, p).

    A problem rests once a step changes its cost by less than `tolerance` of it or by less than `negligible`; steps
    that worsen it are not taken. Damping follows [1]_: by how much of the promised gain a step kept.

    References
    ----------
    .. [1] Nielsen, H. B. (1999). Damping parameter in Marquardt's method. Technical University of Denmark.
    """
    best = np.clip(start, low, high)
    active = np.arange(len(best))
    residuals, jacobian = model(best, active)
    cost = _cost(residuals)
    damping = np.full(len(best), DAMPING_START)
    raising = np.full(len(best), 2.0)
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
        added = damping[active, None] * np.maximum(diagonal, floor) + floor
        diagonal += added
        step = solve_each(hessian, gradient)
        promised = np.einsum("sp,sp->s", step, gradient + added * step)
        tried = np.clip(best[active] - step, low[active], high[active])
        new_residuals, new_jacobian = model(tried, active)
        new_cost, old_cost = _cost(new_residuals), cost[active]
        better = new_cost < old_cost
        accepted = active[better]
        best[accepted], cost[accepted] = tried[better], new_cost[better]
        residuals[better], jacobian[better] = new_residuals[better], new_jacobian[better]
        gained = old_cost - new_cost
        kept = 2.0 * gained / promised - 1.0
        damping[active] *= np.where(better, np.clip(1.0 - kept**3, 0.1, 2.0), raising[active])
        raising[active] = np.where(better, 2.0, 2.0 * raising[active])
        done = (np.abs(gained) <= tolerance * old_cost + negligible) | (damping[active] > DAMPING_LIMIT)
        keep = ~done
        active, residuals, jacobian = active[keep], residuals[keep], jacobian[keep]
    return Solution(best, cost, taken)


def solve_each(matrices: FloatArray, sides: FloatArray) -> FloatArray:
    """x of A·x = b for matrices (..., p, p) and sides (..., p); NaN where A is singular, which costs no other."""
    try:
        return np.asarray(np.linalg.solve(matrices, sides[..., None])[..., 0])
    except np.linalg.LinAlgError:
        solutions = np.full(sides.shape, np.nan)
        for at in np.ndindex(sides.shape[:-1]):
            with suppress(np.linalg.LinAlgError):
                solutions[at] = np.linalg.solve(matrices[at], sides[at])
        return solutions


def _cost(residuals: FloatArray) -> FloatArray:
    cost = np.einsum("sn,sn->s", residuals, residuals)
    return np.where(np.isfinite(cost), cost, np.inf)
