"""The compiled form of `aro.quant.implied`, the Greeks, `svi_fit` and `exposure`: ``kernel.c``, ``smile.c``,
``quality.c`` and ``exposure.c``, where they were built.

Installing ``aro`` builds it if the machine has a C compiler; without one everything works, more slowly, in numpy.
`description` says which it is. What no market quotes, a contract, a slice or a chain, comes back as `HARD`, for numpy
to compute: so both forms give the same status for every float64, and numbers that agree to what rounding makes of them.
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
REVISION: Final = 2
"""Of the C sources, so that new Python code never runs with an old library: raised in both with every change."""
GREEKS: Final = 5
HIGHER_GREEKS: Final = 3
SVI: Final = 5
NODES: Final = 33
"""Of `exposure`."""

Columns: TypeAlias = FloatArray
"""(6, …): five float arguments and is_call as 1 or 0, broadcast to one shape and copied end to end."""


class Kernel:
    """The functions of the library at one level of the processor's instructions: ``base``, ``v3`` or ``v4``."""

    def __init__(self, library: ctypes.CDLL, level: str) -> None:
        self.level: Final = level
        number, address = ctypes.c_int64, ctypes.c_void_p

        def function(name: str, *arguments: type) -> Callable[..., int]:
            found = library[f"{name}_{level}"]
            found.restype, found.argtypes = number, arguments
            return found

        self._implied = function("implied", number, *[address] * 3)
        self._greeks = function("greeks", number, *[address] * 3)
        self._higher = function("higher", number, *[address] * 3)
        self._fit = function("fit", number, number, *[address] * 6, number, *[address] * 2)
        self._judge = function("judge", number, number, *[address] * 7)
        self._totals = function("totals", number, *[address] * 12)

    def implied(self, columns: Columns) -> tuple[FloatArray, NDArray[np.int8], bool]:
        """IV and status of (price, forward, strike, years, discount), and whether any row is `HARD`."""
        iv = np.empty(columns.shape[1:])
        return iv, *self._call(self._implied, columns, iv)

    def greeks(self, columns: Columns) -> tuple[FloatArray, NDArray[np.int8], bool]:
        """(5, …) Greeks in the order of `black.Greeks` of (forward, strike, years, sigma, discount), and as above."""
        results = np.empty((GREEKS, *columns.shape[1:]))
        return results, *self._call(self._greeks, columns, results)

    def higher_greeks(self, columns: Columns) -> tuple[FloatArray, NDArray[np.int8], bool]:
        """(3, …) in the order of `higher_greeks.HigherGreeks`, and as above."""
        results = np.empty((HIGHER_GREEKS, *columns.shape[1:]))
        return results, *self._call(self._higher, columns, results)

    def fit(
        self,
        k: FloatArray,
        iv: FloatArray,
        weight: FloatArray,
        usable: BoolArray,
        years: FloatArray,
        start: FloatArray | None,
        steps: int,
    ) -> tuple[FloatArray, BoolArray]:
        """Parameters (5, slices) in the order of `svi.Svi`, and which slices are `HARD`.

        Matrices (slices, n), `years` (slices,), `start` (5, slices); NaN where fewer than five points are usable.
        """
        slices, n = k.shape
        arrays = [*_sized(k.shape, k, iv, weight), _flags(k.shape, usable), *_sized((slices,), years)]
        addresses = [_address(array) for array in arrays]
        last = [] if start is None else _sized((SVI, slices), start)
        svi, status = np.empty((SVI, slices)), np.empty(slices, dtype=np.int8)
        self._fit(slices, n, *addresses, _address(last[0]) if last else None, steps, _address(svi), _address(status))
        return svi, status == HARD

    def judge(
        self, k: FloatArray, iv: FloatArray, usable: BoolArray, years: FloatArray, svi: FloatArray
    ) -> tuple[FloatArray, BoolArray]:
        """(5, slices): rmse, greatest error, least g, lowest and highest k of a fit, and which slices are `HARD`."""
        slices, n = k.shape
        arrays = [
            *_sized(k.shape, k, iv),
            _flags(k.shape, usable),
            *_sized((slices,), years),
            *_sized((SVI, slices), svi),
        ]
        results, status = np.empty((SVI, slices)), np.empty(slices, dtype=np.int8)
        self._judge(slices, n, *map(_address, arrays), _address(results), _address(status))
        return results, status == HARD

    def totals(
        self, offsets: IntArray, columns: Sequence[FloatArray], signs: tuple[float, float], shifts: FloatArray
    ) -> tuple[FloatArray, BoolArray]:
        """(`NODES`, chains): net gamma at each node, see `exposure`, and which chains are `HARD`.

        `columns` are strikes, volatilities and then open interest of calls and puts (contracts,), forward and years
        (chains,).
        """
        chains, starts = len(offsets) - 1, np.ascontiguousarray(offsets, dtype=np.int64)
        if starts[0] != 0 or (np.diff(starts) < 0).any():
            raise ValueError("offsets do not rise from 0")
        arrays = [
            *_sized((int(starts[-1]),), *columns[:-2]),
            *_sized((chains,), *columns[-2:]),
            *_sized((2,), np.array(signs)),
            *_sized((NODES,), shifts),
        ]
        totals, status = np.empty((NODES, chains)), np.empty(chains, dtype=np.int8)
        self._totals(chains, _address(starts), *map(_address, arrays), _address(totals), _address(status))
        return totals, status == HARD

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


def _sized(shape: tuple[int, ...], *arrays: FloatArray) -> list[FloatArray]:
    """As C reads them.

    Raises
    ------
    ValueError
        If one has another shape: C would read beyond its end.
    """
    for array in arrays:
        if array.shape != shape:
            raise ValueError(f"an array of shape {array.shape} where {shape} is due")
    return [np.ascontiguousarray(array, dtype=np.float64) for array in arrays]


def _flags(shape: tuple[int, ...], array: BoolArray) -> BoolArray:
    if array.shape != shape:
        raise ValueError(f"flags of shape {array.shape} where {shape} is due")
    return np.ascontiguousarray(array, dtype=np.bool_)


def _address(array: NDArray[np.generic]) -> int:
    # Faster than ``array.ctypes.data``, which counts for the 162 contracts of one chain.
    address: int = array.__array_interface__["data"][0]
    return address


compiled: Kernel | None = _load()
"""None where it was not built; set to None to compute in numpy."""
