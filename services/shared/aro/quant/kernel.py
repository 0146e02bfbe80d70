"""The compiled form of `aro.quant.implied` and of `black.greeks`: ``kernel.c``, where it was built.

Installing ``aro`` builds it if the machine has a C compiler; without one everything works, more slowly, in numpy.
`description` says which it is. Rows that no market quotes come back as `HARD`, for numpy to solve: so both forms give
the same status for every float64, and volatilities that agree to a few roundings.
"""

import ctypes
from collections.abc import Callable, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aro.quant.arrays import BoolArray, FloatArray, IntArray

HARD: Final = -1
"""Status of a row that the kernel leaves to numpy."""
REVISION: Final = 1
"""Of ``kernel.c``, so that new Python code never runs with an old library: raised in both with every change."""
GREEKS: Final = 5

Columns: TypeAlias = FloatArray
"""(6, …): five float arguments and is_call as 1 or 0, broadcast to one shape and copied end to end."""


class Kernel:
    """The functions of the library at one level of the processor's instructions: ``base``, ``v3`` or ``v4``."""

    def __init__(self, library: ctypes.CDLL, level: str) -> None:
        self.level: Final = level
        self._implied = library[f"implied_{level}"]
        self._greeks = library[f"greeks_{level}"]
        for function in (self._implied, self._greeks):
            function.restype = ctypes.c_int64
            function.argtypes = [ctypes.c_int64, *[ctypes.c_void_p] * 3]

    def implied(self, columns: Columns) -> tuple[FloatArray, NDArray[np.int8], bool]:
        """IV and status of (price, forward, strike, years, discount), and whether any row is `HARD`."""
        iv = np.empty(columns.shape[1:])
        return iv, *self._call(self._implied, columns, iv)

    def greeks(self, columns: Columns) -> tuple[FloatArray, NDArray[np.int8], bool]:
        """(5, …) Greeks in the order of `black.Greeks` of (forward, strike, years, sigma, discount), and as above."""
        results = np.empty((GREEKS, *columns.shape[1:]))
        return results, *self._call(self._greeks, columns, results)

    def _call(
        self, function: Callable[..., int], columns: Columns, results: FloatArray
    ) -> tuple[NDArray[np.int8], bool]:
        status = np.empty(columns.shape[1:], dtype=np.int8)
        return status, function(status.size, _address(columns), _address(results), _address(status)) > 0


def columns(floats: Sequence[ArrayLike], is_call: ArrayLike) -> Columns:
    """The arguments, broadcast.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.
    """
    arrays = [*(np.asarray(value, dtype=np.float64) for value in floats), np.asarray(is_call, dtype=np.bool_)]
    columns = np.empty((len(arrays), *np.broadcast(*arrays).shape))
    for row, array in enumerate(arrays):
        columns[row, ...] = array
    return columns


def rows(columns: Columns, where: IntArray | slice) -> tuple[tuple[FloatArray, ...], BoolArray]:
    """Some rows of the flattened columns: floats, and is_call."""
    *floats, is_call = columns.reshape(len(columns), -1)[:, where]
    return tuple(floats), is_call != 0.0


def description() -> str:
    """For logs and metrics: which form computes, e.g. ``compiled (v3)`` or ``numpy``."""
    return "numpy" if compiled is None else f"compiled ({compiled.level})"


def library() -> ctypes.CDLL | None:
    """The built library beside this module, if there is one.

    Raises
    ------
    OSError
        If it is there but does not load.
    """
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_kernel{suffix}")
        if path.exists():
            return ctypes.CDLL(str(path))
    return None


def _load() -> Kernel | None:
    found = library()
    if found is None:
        return None
    if found.revision() != REVISION:
        raise ImportError("aro.quant._kernel was built from another kernel.c: install services/shared again")
    found.level.restype = ctypes.c_char_p
    return Kernel(found, found.level().decode())


def _address(array: NDArray[np.generic]) -> int:
    # Faster than ``array.ctypes.data``, which counts for the 162 contracts of one chain.
    address: int = array.__array_interface__["data"][0]
    return address


compiled: Kernel | None = _load()
"""None where it was not built; set to None to compute in numpy."""
