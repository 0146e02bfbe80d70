"""Which contracts of a product are listed."""

from datetime import date
from typing import NamedTuple


class Listing(NamedTuple):
    """What is listed now: (label, expiry in ms) per expiry, and the strikes with their numbers on the step grid.
    `has_future` says per expiry whether a future expires with it."""

    contracts: tuple[tuple[date, int], ...]
    numbers: tuple[int, ...]
    strikes: tuple[float, ...]
    has_future: tuple[bool, ...]
