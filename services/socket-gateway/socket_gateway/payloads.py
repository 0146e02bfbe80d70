"""What clients may send as the payload of each event."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec

from aro.contracts.problems import InvalidRequest
from socket_gateway.frames import Form

MAX_NAME_CHARS: Final = 80
MAX_RATE_HZ: Final = 100
ENCODINGS: Final = ("deflate",)
_Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARS)]
RequestId = Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARS)] | int | None


class Resume(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last message of a channel that the client has."""

    epoch: _Name
    seq: Annotated[int, msgspec.Meta(ge=0)]


class Subscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`encoding` is that of `data` in ``snapshot``, ``update`` and ``delta``; `max_rate_hz` is of each channel."""

    channels: Annotated[list[_Name], msgspec.Meta(min_length=1)]
    id: RequestId = None
    delta: bool = False
    resume: dict[_Name, Resume] | None = None
    encoding: str | None = None
    max_rate_hz: float | None = None

    def __post_init__(self) -> None:
        if self.encoding is not None and self.encoding not in ENCODINGS:
            raise ValueError(f"encoding {self.encoding[:20]!r} is not one of: {', '.join(ENCODINGS)}")
        if self.max_rate_hz is not None and not 0 < self.max_rate_hz <= MAX_RATE_HZ:
            raise ValueError(f"max_rate_hz must be above 0 and at most {MAX_RATE_HZ}")

    @property
    def form(self) -> Form:
        return Form(self.delta, self.encoding is not None)

    @property
    def options(self) -> dict[str, Any]:
        """What was asked for beyond the plain form."""
        asked = {"delta": self.delta or None, "encoding": self.encoding, "max_rate_hz": self.max_rate_hz}
        return {name: value for name, value in asked.items() if value is not None}


class Unsubscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    channels: Annotated[list[_Name], msgspec.Meta(min_length=1)]
    id: RequestId = None


class Authenticate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: str


Payload = TypeVar("Payload", Subscribe, Unsubscribe, Authenticate)


def read(kind: type[Payload], arguments: tuple[Any, ...]) -> Payload:
    """The one argument of an event. Raises `InvalidRequest` naming what is wrong with it."""
    if len(arguments) != 1 or not isinstance(arguments[0], Mapping):
        raise InvalidRequest("send exactly one JSON object with this event")
    try:
        return msgspec.convert(arguments[0], kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from None


def list_is_bounded(channels: list[str], limit: int) -> None:
    """Raises `InvalidRequest` for a list of more than `limit` entries."""
    if len(channels) > limit:
        raise InvalidRequest(f"{len(channels)} channels in one request; the limit is {limit}")
