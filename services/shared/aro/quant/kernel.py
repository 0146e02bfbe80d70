"""The compiled form of `aro.quant.implied` and of `black.greeks`: ``kernel.c``, where it was built.

Installing ``aro`` builds it if the machine has a C compiler; without one everything works, more slowly, in numpy.
`description` says which it is. Rows that no market quotes come back as `HARD`, for numpy to solve: so both forms give
the same status for every float64, and volatilities that agree to a few roundings.
"""

import ctypes
import math
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aro.quant.arrays import BoolArray, FloatArray, IntArray

HARD: Final = -1
"""Status of a row that the kernel leaves to numpy."""
REVISION: Final = 1
"""Of ``kernel.c``, so that new Python code never runs with an old library: raised in both with every change."""
COLUMNS: Final = 5
_Scalar = TypeVar("_Scalar", bound=np.generic)
_Pointers = ctypes.c_void_p * COLUMNS
_Strides = ctypes.c_int64 * (COLUMNS + 1)


class Columns(NamedTuple):
    """Arguments ready for C: float64 columns that are contiguous, or one number for all rows."""

    shape: tuple[int, ...]
    floats: tuple[FloatArray, ...]
    is_call: BoolArray

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def rows(self, where: IntArray) -> tuple[tuple[FloatArray, ...], BoolArray]:
        """Some rows of the flattened columns."""
        floats = tuple(np.broadcast_to(column, self.shape).reshape(-1)[where] for column in self.floats)
        return floats, np.broadcast_to(self.is_call, self.shape).reshape(-1)[where]


class Kernel:
    """The functions of the library at one level of the processor's instructions: ``base``, ``v3`` or ``v4``."""

    def __init__(self, library: ctypes.CDLL, level: str) -> None:
        self.level: Final = level
        self._implied = library[f"implied_{level}"]
        self._greeks = library[f"greeks_{level}"]
        for function in (self._implied, self._greeks):
            function.restype = ctypes.c_int64
            function.argtypes = [ctypes.c_int64, _Pointers, ctypes.c_void_p, _Strides, ctypes.c_void_p, ctypes.c_void_p]

    def implied(self, columns: Columns) -> tuple[FloatArray, NDArray[np.int8], bool]:
        """IV and status of (price, forward, strike, years, discount), and whether any row is `HARD`."""
        iv, status = np.empty(columns.shape), np.empty(columns.shape, dtype=np.int8)
        hard = self._implied(*_addresses(columns), _address(iv), _address(status))
        return iv, status, hard > 0

    def greeks(self, columns: Columns) -> tuple[FloatArray, NDArray[np.int8], bool]:
        """(5, …) Greeks in the order of `black.Greeks` of (forward, strike, years, sigma, discount), and as above."""
        results = np.empty((COLUMNS, *columns.shape))
        status = np.empty(columns.shape, dtype=np.int8)
        first, each = _address(results), columns.size * results.itemsize
        outputs = _Pointers(*range(first, first + COLUMNS * each, each) if each else (first,))
        hard = self._greeks(*_addresses(columns), outputs, _address(status))
        return results, status, hard > 0


def columns(floats: Sequence[ArrayLike], is_call: ArrayLike) -> Columns:
    """The arguments, broadcast.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.
    """
    arrays = [np.asarray(value, dtype=np.float64) for value in floats]
    call = np.asarray(is_call, dtype=np.bool_)
    shape = np.broadcast(*arrays, call).shape
    return Columns(shape, tuple(_flat(array, shape) for array in arrays), _flat(call, shape))


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


def _flat(array: NDArray[_Scalar], shape: tuple[int, ...]) -> NDArray[_Scalar]:
    if array.size == 1:
        return array
    return np.ascontiguousarray(array if array.shape == shape else np.broadcast_to(array, shape))


def _address(array: NDArray[_Scalar]) -> int:
    # A third of the time of ``array.ctypes.data``, which counts for the 162 contracts of one chain.
    address: int = array.__array_interface__["data"][0]
    return address


def _addresses(arguments: Columns) -> tuple[int, ctypes.Array[ctypes.c_void_p], int, ctypes.Array[ctypes.c_int64]]:
    arrays = (*arguments.floats, arguments.is_call)
    strides = _Strides(*(0 if array.size == 1 else 1 for array in arrays))
    return arguments.size, _Pointers(*map(_address, arguments.floats)), _address(arguments.is_call), strides


compiled: Kernel | None = _load()
"""None where it was not built; set to None to compute in numpy."""
