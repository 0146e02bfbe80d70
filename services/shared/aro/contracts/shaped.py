"""What shaped answers look like, as types for API descriptions: every field but the identity may have been left out."""

from typing import Any, Final, Literal, get_args, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from aro.contracts.analytics import ChainMetrics, EnrichedChain, EnrichedQuotes
from aro.contracts.shapes import IDENTITY, LEG_FIELDS


def _optional(struct: type[msgspec.Struct], required: tuple[str, ...] = ()) -> list[Any]:
    """Fields for `msgspec.defstruct`: those of `struct`, all but `required` with the right to be absent."""
    hints = get_type_hints(struct)
    return [
        (name, hints[name]) if name in required else (name, hints[name] | UnsetType, UNSET)
        for name in struct.__struct_fields__
    ]


ShapedQuotes: Final = msgspec.defstruct(
    "ShapedQuotes",
    _optional(EnrichedQuotes),
    kw_only=True,
    frozen=True,
    namespace={"__doc__": "One side of a chain, with the columns that were asked for."},
)

ChainRow: Final = msgspec.defstruct(
    "ChainRow",
    [
        ("symbol", str),
        ("strike", float),
        ("option_type", Literal["CE", "PE"]),
        # One entry of each column.
        *((name, get_args(get_type_hints(EnrichedQuotes)[name])[0] | UnsetType, UNSET) for name in LEG_FIELDS),
    ],
    kw_only=True,
    frozen=True,
    namespace={"__doc__": "One contract of a chain, with the columns that were asked for."},
)

ShapedChain: Final = msgspec.defstruct(
    "ShapedChain",
    [
        *(field for field in _optional(EnrichedChain, IDENTITY) if field[0] not in ("calls", "puts")),
        ("calls", ShapedQuotes | UnsetType, UNSET),
        ("puts", ShapedQuotes | UnsetType, UNSET),
        ("rows", list[ChainRow] | UnsetType, UNSET),  # type: ignore[valid-type]
    ],
    kw_only=True,
    frozen=True,
    namespace={
        "__doc__": "A chain with the fields and strikes that were asked for, in columns (`strikes`, `calls`, `puts`) "
        "or in `rows`; as published, so with every field, when nothing was."
    },
)

ShapedMetrics: Final = msgspec.defstruct(
    "ShapedMetrics",
    _optional(ChainMetrics, IDENTITY),
    kw_only=True,
    frozen=True,
    namespace={"__doc__": "Metrics with the fields that were asked for; all of them when none were named."},
)
