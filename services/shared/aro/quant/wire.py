"""The compiled way between messages and arrays: ``wire.c``, where it was built.

A worker's chains come as msgpack and leave as JSON, some 5,000 numbers each way. Here no Python object is made of any
of them: `read` fills arrays from the bytes of a message, `Writer` prints arrays as msgspec would print lists of their
entries, to the byte. What is not ordinary, such as a message that will be rejected or a quote of 16 digits, is left to
the caller, who takes the way through msgspec; so both ways give the same, and only one has to know every case.
"""

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aro.quant.arrays import FloatArray, IntArray

REVISION: Final = 1
"""Of ``wire.c``, so that new Python code never runs with an old library: raised in both with every change."""
AS_IT_CAME: Final = -1
"""In the place of decimals: as few digits as tell the number from every other."""
ROUNDINGS: Final = (AS_IT_CAME, 4, 6, 9)
_WORDS: Final = -2
_NUMBER_BYTES: Final = 26
"""At most, of one number and its comma."""
LEG_ROWS: Final = 9
ROWS: Final = 1 + 2 * LEG_ROWS

Flags = NDArray[np.uint8]


class _Word(ctypes.Structure):
    _fields_ = (("text", ctypes.c_char_p), ("length", ctypes.c_int64))


class _Column(ctypes.Structure):
    _fields_ = (
        ("before", _Word),
        ("values", ctypes.c_void_p),
        ("words", ctypes.POINTER(_Word)),
        ("decimals", ctypes.c_int64),
    )


@dataclass(frozen=True, slots=True)
class Column:
    """Numbers of all contracts of a batch, `decimals` one of `ROUNDINGS`; NaN is written as ``null``."""

    values: FloatArray
    decimals: int


@dataclass(frozen=True, slots=True)
class Words:
    """Codes of all contracts, and the JSON text of each code."""

    codes: NDArray[np.uint8] | NDArray[np.int8]
    texts: tuple[bytes, ...]


def read(strikes: bytes, calls: bytes, puts: bytes) -> tuple[FloatArray, Flags] | None:
    """A chain's columns, (`ROWS`, n): strikes, then calls and then puts in the order of `columns.SideColumns`; and the
    flags of both, (2, n).

    The arguments are the msgpack of these three fields of a `ChainSnapshot`. None if they are not sound by the rules
    of `columns.chain_columns`, or in a form that our feed does not write, or if nothing was compiled.
    """
    if compiled is None:
        return None
    size = compiled.strikes_of(len(strikes), strikes)
    if size < 1:
        return None
    rows, flags = np.empty((ROWS, size)), np.empty((2, size), dtype=np.uint8)
    parts = (len(strikes), strikes, len(calls), calls, len(puts), puts)
    return (rows, flags) if compiled.read_chain(size, *parts, _address(rows), _address(flags)) else None


class Writer:
    """Prints the columns of chains as members of a JSON object; keeps its room from call to call. Not for threads."""

    def __init__(self) -> None:
        self._room = np.empty(0, dtype=np.uint8)

    def write(
        self, offsets: IntArray, columns: Sequence[tuple[bytes, Column | Words]], after: bytes
    ) -> list[bytes | None]:
        """The text of each chain; None where there is a number of more than 15 digits.

        Parameters
        ----------
        offsets : (chains + 1,), rising strictly; chain i owns ``offsets[i]:offsets[i + 1]`` of every column
        columns : what stands before the first entry of each, and the entries, which commas part
        after : what stands at the end
        """
        assert compiled is not None, "ask `compiled` first"
        chains = len(offsets) - 1
        self._make_room(chains, int(offsets[-1]), columns, after)
        # The arrays behind the addresses live until the call returns, because `held` does.
        held = [_prepared(before, entries) for before, entries in columns]
        table = (_Column * len(held))(*(column for column, _ in held))
        starts = np.ascontiguousarray(offsets, dtype=np.int64)
        ends, written = np.empty(chains, dtype=np.int64), np.empty(chains, dtype=np.uint8)
        compiled.write_chains(
            chains,
            _address(starts),
            len(held),
            table,
            _Word(after, len(after)),
            _address(self._room),
            _address(ends),
            _address(written),
        )
        room, found, start = self._room.data, [], 0
        for end, there in zip(ends.tolist(), written.tolist(), strict=True):
            found.append(bytes(room[start:end]) if there else None)
            start = end
        return found

    def _make_room(
        self, chains: int, contracts: int, columns: Iterable[tuple[bytes, Column | Words]], after: bytes
    ) -> None:
        bytes_each = sum(
            max(map(len, entries.texts)) + 1 if isinstance(entries, Words) else _NUMBER_BYTES for _, entries in columns
        )
        around = len(after) + sum(len(before) for before, _ in columns)
        needed = chains * around + contracts * bytes_each
        if self._room.size < needed:
            self._room = np.empty(needed, dtype=np.uint8)


def _prepared(before: bytes, entries: Column | Words) -> tuple[_Column, object]:
    word = _Word(before, len(before))
    if isinstance(entries, Words):
        codes = np.ascontiguousarray(entries.codes)
        texts = (_Word * len(entries.texts))(*(_Word(text, len(text)) for text in entries.texts))
        return _Column(word, _address(codes), texts, _WORDS), (codes, texts)
    values = np.ascontiguousarray(entries.values, dtype=np.float64)
    return _Column(word, _address(values), None, entries.decimals), values


class Library:
    """The functions of ``wire.c``."""

    def __init__(self, library: ctypes.CDLL) -> None:
        text, number, address = ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p
        self.strikes_of = library.strikes_of
        self.strikes_of.restype, self.strikes_of.argtypes = number, [number, text]
        self.read_chain = library.read_chain
        self.read_chain.restype = ctypes.c_int32
        self.read_chain.argtypes = [number, number, text, number, text, number, text, address, address]
        self.write_chains = library.write_chains
        self.write_chains.restype = None
        self.write_chains.argtypes = [
            *(number, address, number, ctypes.POINTER(_Column), ctypes.POINTER(_Word)),
            *(address, address, address),
        ]


def _load() -> Library | None:
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_wire{suffix}")
        if path.exists():
            found = ctypes.CDLL(str(path))
            if found.revision() != REVISION:
                raise ImportError("aro.quant._wire was built from another wire.c: install services/shared again")
            return Library(found)
    return None


def _address(array: NDArray[np.generic]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


compiled: Library | None = _load()
"""None where it was not built; set to None to go through msgspec."""
