"""Replay sessions: what their owner orders, where they are, and their messages on the way to a worker."""

from typing import Final, Literal

import msgspec

ReplayState = Literal["starting", "playing", "paused", "ended", "failed", "interrupted"]
"""``interrupted``: no process plays it now. Where one is started again it goes on from where it was."""

MIN_SPEED: Final = 0.01
MAX_SPEED: Final = 10_000.0
SESSION_PATTERN: Final = "[0-9a-f]{16}"
RECORDING_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


class ReplayOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of a session wants. Instants are UTC epoch milliseconds of the session's own time.

    `recording` None is MongoDB history; no `products` are all there are. `revision` rises with every order, and
    `sought` is the revision that asked for `position_ts`.
    """

    id: str
    owner: str
    created_ts: int
    recording: str | None
    products: tuple[str, ...]
    from_ts: int | None
    to_ts: int | None
    speed: float
    paused: bool
    position_ts: int | None = None
    revision: int = 1
    sought: int = 1


class ReplayProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a session is. `revision` is the order that it follows; `detail` says why it failed."""

    state: ReplayState = "starting"
    revision: int = 0
    position_ts: int | None = None
    first_ts: int | None = None
    last_ts: int | None = None
    messages: int = 0
    detail: str | None = None


class ReplayStatus(msgspec.Struct, frozen=True, kw_only=True):
    """State of channel ``replay:{session}:status``, sent once a second and whenever it changes.

    `position_ts` is the session's own time, `first_ts` and `last_ts` where its source begins and ends (null for
    history that goes on), `speed` how much faster than the clock it plays. `messages` were handed to the workers.
    """

    session: str
    state: ReplayState
    position_ts: int | None
    position_time: str | None
    first_ts: int | None
    last_ts: int | None
    speed: float
    messages: int
    detail: str | None
    server_ts: int


class ReplayRecording(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be played. The span of a ``capture`` is known once it is played."""

    name: str
    kind: Literal["recording", "capture"]
    first_ts: int | None
    last_ts: int | None


class Replayed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A chain or tick of a session. `source_seq` rises per session and series however the session is sought, unlike
    that of `message`, which is the msgpack message as it was recorded; a tick has no `expiry`."""

    session: str
    product: str
    expiry: str | None
    source_seq: int
    message: bytes
