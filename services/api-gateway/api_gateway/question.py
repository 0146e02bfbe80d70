"""Which latest state a request asks for, read from its path and query string.

What is not plainly a question for the newest chain, metrics or surface is None here and goes to the service behind:
history and ``as_of``, and whatever is misspelt, which that service answers in its own words.
"""

import functools
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal
from urllib.parse import parse_qsl

from aro.contracts.names import chain_channel, metrics_channel, surface_channel
from aro.contracts.problems import InvalidRequest
from aro.contracts.products import PRODUCTS
from aro.contracts.shapes import (
    PLAIN,
    ChainShape,
    Fields,
    chain_csv,
    metrics_csv,
    parse_chain_fields,
    parse_metrics_fields,
    parse_strikes,
    render_chain,
    render_metrics,
)
from aro.contracts.tables import CSV_TYPE

Kind = Literal["chain", "metrics", "surface"]
JSON_TYPE: Final = "application/json"
ROUTES: Final[dict[Kind, str]] = {
    "chain": "/api/v1/chains/<product>",
    "metrics": "/api/v1/chains/<product>/metrics",
    "surface": "/api/v1/analytics/<product>/surface",
}
"""As metrics and logs name them."""
_PARAMETERS: Final[dict[Kind, frozenset[str]]] = {
    "chain": frozenset({"expiry", "strikes", "fields", "shape"}),
    "metrics": frozenset({"expiry", "fields"}),
    "surface": frozenset(),
}
_SHAPES: Final = {"columns": False, "rows": True}
_REMEMBERED: Final = 4_096


@dataclass(frozen=True, slots=True)
class Question:
    """`expiry` None means the nearest one that is not over. `look` tells apart how states may be asked to look."""

    kind: Kind
    product: str
    expiry: str | None = None
    shape: ChainShape = PLAIN
    fields: Fields | None = None
    look: str = ""

    @property
    def route(self) -> str:
        return ROUTES[self.kind]

    @property
    def media(self) -> tuple[str, ...]:
        """What can be had, the usual first."""
        return (JSON_TYPE,) if self.kind == "surface" else (JSON_TYPE, CSV_TYPE)

    def channel(self, expiry: str) -> str:
        """The channel of the state; `expiry` is that of the question or what was found for it."""
        if self.kind == "surface":
            return surface_channel(self.product)
        return (chain_channel if self.kind == "chain" else metrics_channel)(self.product, expiry)

    def render(self, data: bytes, media: str) -> bytes:
        """`data` of the channel as it was asked for. Raises `InvalidRequest` for strikes around an unknown one."""
        if self.kind == "chain":
            return chain_csv(data, self.shape) if media == CSV_TYPE else render_chain(data, self.shape)
        if self.kind == "metrics":
            return metrics_csv(data, self.fields) if media == CSV_TYPE else render_metrics(data, self.fields)
        return data


@functools.lru_cache(maxsize=_REMEMBERED)
def parse_question(path: str, query: str) -> Question | None:
    """`path` is percent-decoded, `query` is not."""
    place = _place(path)
    if place is None:
        return None
    kind, product = place
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict") if query else []
    except ValueError:
        return None
    given = dict(pairs)
    if product not in PRODUCTS or len(given) < len(pairs) or not given.keys() <= _PARAMETERS[kind]:
        return None
    return _question(kind, product, given)


def _place(path: str) -> tuple[Kind, str] | None:
    match path.split("/"):
        case ["", "api", "v1", "chains", product]:
            return "chain", product
        case ["", "api", "v1", "chains", product, "metrics"]:
            return "metrics", product
        case ["", "api", "v1", "analytics", product, "surface"]:
            return "surface", product
    return None


def _question(kind: Kind, product: str, given: dict[str, str]) -> Question | None:
    expiry, shape, fields = given.get("expiry"), PLAIN, None
    try:
        if expiry is not None and date.fromisoformat(expiry).isoformat() != expiry:
            return None
        if kind == "chain":
            shape = _shape(given)
        elif "fields" in given:
            fields = parse_metrics_fields(given["fields"])
    except (ValueError, KeyError, InvalidRequest):
        return None
    look = "&".join(f"{name}={text}" for name, text in sorted(given.items()) if name != "expiry")
    return Question(kind, product, expiry, shape, fields, look)


def _shape(given: dict[str, str]) -> ChainShape:
    return ChainShape(
        window=parse_strikes(given["strikes"]) if "strikes" in given else None,
        fields=parse_chain_fields(given["fields"]) if "fields" in given else None,
        rows=_SHAPES[given.get("shape", "columns")],
    )
