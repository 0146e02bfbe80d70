"""Numbers as they are published, rounded many at a time."""

from typing import Final

import numpy as np

from aro.contracts.analytics import DECIMALS
from aro.quant.arrays import FloatArray

EXACT: Final = 1e15
"""From here on the product with a power of ten has no digits to spare."""


def rounded(values: FloatArray, kinds: list[str]) -> list[list[float | None]]:
    """Each row of `values` (kinds, n) to the `DECIMALS` of its kind; None for NaN.

    The same doubles as Python's `round` gives. It rounds the exact decimal value; the product with a power of ten is
    off by a rounding, so wherever that could tip the half, `round` itself decides.
    """
    decimals = [DECIMALS[kind] for kind in kinds]
    with np.errstate(all="ignore"):
        scale = 10.0 ** np.array(decimals)[:, None]
        scaled = values * scale
        whole = np.rint(scaled)
        result = whole / scale
        away = np.abs(np.abs(scaled - whole) - 0.5)
        doubtful = ~((away > 1e-15 * np.abs(scaled) + 1e-300) & (np.abs(scaled) < EXACT)) & ~np.isnan(values)
    rows = [[None if value != value else value for value in row] for row in result.tolist()]
    for i, j in np.argwhere(doubtful).tolist():
        rows[i][j] = round(float(values[i, j]), decimals[i])
    return rows
