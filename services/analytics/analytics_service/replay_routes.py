"""A user's own replay sessions: orders to the process that plays them. Another user's do not exist."""

import secrets
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import Response, g

from analytics_service.examples import example
from analytics_service.schemas import ReplayBody, ReplayChange
from aro.adapters.clock import Clock, iso
from aro.adapters.replay_sessions import ReplaySessions
from aro.contracts.names import replay_channel
from aro.contracts.problems import Conflict, InvalidRequest, NotFound, ServiceUnavailable
from aro.contracts.replays import ReplayOrder, ReplayRecording, ReplayState
from aro.runtime.api import Blueprint
from aro.runtime.queries import NoQuery
from aro.runtime.web import json_response

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    all_users: int
    per_user: int


class ReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A session. Its messages come on the socket, on channels that begin with `channel_prefix`; `channels` have state
    already. `position_ts` is its own time; `pending`: the last order is not followed yet."""

    id: str
    recording: str | None
    products: list[str]
    state: ReplayState
    pending: bool
    speed: float
    paused: bool
    position_ts: int | None
    position_time: str | None
    first_ts: int | None
    last_ts: int | None
    messages: int
    detail: str | None
    created_ts: int
    created_time: str
    channel_prefix: str
    channels: list[str]


class ReplaysAnswer(msgspec.Struct, frozen=True, kw_only=True):
    sessions: list[ReplayAnswer]


class RecordingsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    recordings: list[ReplayRecording]


def replay_routes(sessions: ReplaySessions, clock: Clock, limits: Limits) -> Blueprint:
    blueprint = Blueprint("replay", __name__, url_prefix="/api/v1/replay", description="The market of another time")

    @blueprint.get("/recordings")
    @blueprint.arguments(NoQuery, location="query")
    @blueprint.answers(RecordingsAnswer, "Recordings", example=example("replay-recordings"))
    def recordings(_: Body) -> Response:
        """What can be played besides the history of the database."""
        return json_response(RecordingsAnswer(recordings=sessions.recordings()))

    @blueprint.get("/sessions")
    @blueprint.arguments(NoQuery, location="query")
    @blueprint.answers(ReplaysAnswer, "Your sessions", example=example("replays"))
    def of_owner(_: Body) -> Response:
        """Your replay sessions, oldest first."""
        own = [order for order in sessions.orders().values() if order.owner == g.principal.subject]
        own.sort(key=lambda order: (order.created_ts, order.id))
        return json_response(ReplaysAnswer(sessions=[_shown(sessions, order) for order in own]))

    @blueprint.post("/sessions")
    @blueprint.arguments(ReplayBody, example=example("replay-body"))
    @blueprint.answers(
        ReplayAnswer,
        "The new session",
        status=201,
        problems=(Conflict, ServiceUnavailable),
        headers=("Location",),
        example=example("replay"),
    )
    def start(asked: Body) -> Response:
        """Start to play a recording, or history, on channels of your own. It ends a minute after nobody listens."""
        order = _ordered(asked, g.principal.subject, clock.now_ms())
        if not sessions.has_player():
            raise ServiceUnavailable("no process plays sessions now; try again in a moment")
        if order.recording is not None and order.recording not in {found.name for found in sessions.recordings()}:
            raise InvalidRequest("not valid: recording", errors={"recording": ["There is no such recording."]})
        sessions.add(order, most=limits.all_users, most_of_owner=limits.per_user)
        response = json_response(_shown(sessions, order), 201)
        response.headers["Location"] = f"/api/v1/replay/sessions/{order.id}"
        return response

    @blueprint.get("/sessions/<replay_id>")
    @blueprint.arguments(NoQuery, location="query")
    @blueprint.answers(ReplayAnswer, "The session", problems=(NotFound,), example=example("replay"))
    def session(_: Body, replay_id: str) -> Response:
        """One of your sessions."""
        return json_response(_shown(sessions, _own(sessions, replay_id)))

    @blueprint.patch("/sessions/<replay_id>")
    @blueprint.arguments(ReplayChange, example=example("replay-change"))
    @blueprint.answers(ReplayAnswer, "As ordered", problems=(NotFound,), example=example("replay"))
    def change(asked: Body, replay_id: str) -> Response:
        """Pause, resume, seek, or change the speed."""
        owner = g.principal.subject
        order = sessions.change(replay_id, lambda order: _changed(order, asked) if order.owner == owner else None)
        if order is None:
            raise _unknown()
        return json_response(_shown(sessions, order))

    @blueprint.delete("/sessions/<replay_id>")
    @blueprint.arguments(NoQuery, location="query")
    @blueprint.answers(None, "Over, and its channels are gone", status=204, problems=(NotFound,))
    def stop(_: Body, replay_id: str) -> Response:
        """Stop one of your sessions."""
        sessions.end(_own(sessions, replay_id).id, "its owner stopped it")
        return Response(status=204)

    return blueprint


def _ordered(asked: Body, owner: str, now_ms: int) -> ReplayOrder:
    """Raises `InvalidRequest`."""
    start, end = asked["from"], asked["to"]
    if asked["recording"] is None and start is None:
        raise InvalidRequest("not valid: from", errors={"from": ["History needs an instant to begin at."]})
    if start is not None and end is not None and start > end:
        raise InvalidRequest("not valid: from", errors={"from": ["Must not be after 'to'."]})
    return ReplayOrder(
        id=secrets.token_hex(8),
        owner=owner,
        created_ts=now_ms,
        recording=asked["recording"],
        products=tuple(dict.fromkeys(asked["products"])),
        from_ts=start,
        to_ts=end,
        speed=asked["speed"],
        paused=asked["paused"],
    )


def _changed(order: ReplayOrder, asked: Body) -> ReplayOrder:
    revision = order.revision + 1
    sought = {"position_ts": asked["position"], "sought": revision} if "position" in asked else {}
    rest = {name: asked[name] for name in ("paused", "speed") if name in asked}
    return msgspec.structs.replace(order, revision=revision, **rest, **sought)


def _own(sessions: ReplaySessions, replay_id: str) -> ReplayOrder:
    order = sessions.order(replay_id)
    if order is None or order.owner != g.principal.subject:
        raise _unknown()
    return order


def _unknown() -> NotFound:
    return NotFound("you have no such replay session")


def _shown(sessions: ReplaySessions, order: ReplayOrder) -> ReplayAnswer:
    progress = sessions.progress(order.id)
    return ReplayAnswer(
        id=order.id,
        recording=order.recording,
        products=list(order.products),
        state=progress.state if sessions.has_player() else "interrupted",
        pending=progress.revision < order.revision,
        speed=order.speed,
        paused=order.paused,
        position_ts=progress.position_ts,
        position_time=None if progress.position_ts is None else iso(progress.position_ts),
        first_ts=progress.first_ts,
        last_ts=progress.last_ts,
        messages=progress.messages,
        detail=progress.detail,
        created_ts=order.created_ts,
        created_time=iso(order.created_ts),
        channel_prefix=replay_channel(order.id, ""),
        channels=sorted(sessions.channels(order.id)),
    )
