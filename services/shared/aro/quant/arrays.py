"""The array types of this floor, and how arguments become arrays of one shape."""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.int64]


def broadcast(*floats: ArrayLike) -> tuple[FloatArray, ...]:
    """The arguments as float64 views of one common shape; scalars give 0-d arrays.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.
    """
    return np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in floats))


def positive(*arrays: FloatArray) -> BoolArray:
    """Where every argument is finite and above zero."""
    result = np.isfinite(arrays[0]) & (arrays[0] > 0.0)
    for array in arrays[1:]:
        result = result & np.isfinite(array) & (array > 0.0)
    return result
