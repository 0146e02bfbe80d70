"""What clients may send as the payload of each event."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec

from aro.contracts.problems import InvalidRequest

MAX_NAME_CHARS: Final = 80
_Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARS)]
RequestId = Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARS)] | int | None


class Resume(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last message of a channel that the client has."""

    epoch: _Name
    seq: Annotated[int, msgspec.Meta(ge=0)]


class Subscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    channels: Annotated[list[_Name], msgspec.Meta(min_length=1)]
    id: RequestId = None
    delta: bool = False
    resume: dict[_Name, Resume] | None = None


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
