"""A user's own alerts. Another user's do not exist: the owner is in every query."""

from typing import Any, Final

import msgspec
from flask import Response, g

from analytics_service.alert_rules import EVENT_DAYS
from analytics_service.examples import example
from analytics_service.schemas import AlertBody
from aro.adapters.alert_store import Alert, AlertEvent, AlertStore
from aro.adapters.clock import Clock, iso
from aro.contracts.problems import Conflict, NotFound
from aro.runtime.api import Blueprint
from aro.runtime.queries import NoQuery
from aro.runtime.web import json_response

EVENTS_AT_MOST: Final = 100
AHEAD_MS: Final = 60_000
"""Source times may be this much ahead of this clock."""

Body = dict[str, Any]


class AlertAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: goes off when `metric` of `product` (of `expiry`, or of the nearest one if null) comes to be ``above``
    or ``below`` the threshold, or crosses it. With `once` it is over (`active` false) after the first time."""

    id: str
    product: str
    expiry: str | None
    metric: str
    op: str
    threshold: float
    once: bool
    note: str
    active: bool
    created_ts: int
    created_time: str


class AlertsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    alerts: list[AlertAnswer]


class AlertEventAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`snapshot` is the id of the state that set the alert off."""

    snapshot: str
    expiry: str
    value: float
    source_ts: int
    source_time: str


class AlertEventsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The newest hundred of the last 30 days, newest first."""

    alert: str
    events: list[AlertEventAnswer]


def alert_routes(store: AlertStore, clock: Clock, *, limit: int) -> Blueprint:
    blueprint = Blueprint("alerts", __name__, url_prefix="/api/v1/alerts", description="Rules on live metrics")

    @blueprint.get("")
    @blueprint.arguments(NoQuery, location="query")
    @blueprint.answers(AlertsAnswer, "Your alerts", example=example("alerts"))
    def alerts(_: Body) -> Response:
        """Your alerts, oldest first."""
        return json_response(AlertsAnswer(alerts=[_shown(alert) for alert in store.of(g.principal.subject)]))

    @blueprint.post("")
    @blueprint.arguments(AlertBody, example=example("alert-body"))
    @blueprint.answers(
        AlertAnswer, "The new alert", status=201, problems=(Conflict,), headers=("Location",), example=example("alert")
    )
    def add(rule: Body) -> Response:
        """Watch a metric. It is evaluated on every state that is published from now on."""
        alert = store.add(g.principal.subject, rule, now_ms=clock.now_ms(), limit=limit)
        response = json_response(_shown(alert), 201)
        response.headers["Location"] = f"/api/v1/alerts/{alert.id}"
        return response

    @blueprint.get("/<alert_id>")
    @blueprint.arguments(NoQuery, location="query")
    @blueprint.answers(AlertAnswer, "The alert", problems=(NotFound,), example=example("alert"))
    def alert(_: Body, alert_id: str) -> Response:
        """One of your alerts."""
        return json_response(_shown(_own(store, alert_id)))

    @blueprint.delete("/<alert_id>")
    @blueprint.arguments(NoQuery, location="query")
    @blueprint.answers(None, "Gone, with its events", status=204, problems=(NotFound,))
    def remove(_: Body, alert_id: str) -> Response:
        """Delete one of your alerts and its events."""
        if not store.remove(g.principal.subject, alert_id):
            raise _unknown()
        return Response(status=204)

    @blueprint.get("/<alert_id>/events")
    @blueprint.arguments(NoQuery, location="query")
    @blueprint.answers(AlertEventsAnswer, "When it went off", problems=(NotFound,), example=example("alert-events"))
    def events(_: Body, alert_id: str) -> Response:
        """When one of your alerts went off, newest first."""
        own = _own(store, alert_id)
        now = clock.now_ms() + AHEAD_MS
        found = store.events(own.owner, own.id, now_ms=now, days=EVENT_DAYS, limit=EVENTS_AT_MOST)
        return json_response(AlertEventsAnswer(alert=own.id, events=[_event(item) for item in found]))

    return blueprint


def _own(store: AlertStore, alert_id: str) -> Alert:
    found = store.find(g.principal.subject, alert_id)
    if found is None:
        raise _unknown()
    return found


def _unknown() -> NotFound:
    return NotFound("you have no such alert")


def _shown(alert: Alert) -> AlertAnswer:
    fields = {name: getattr(alert, name) for name in AlertAnswer.__struct_fields__ if name != "created_time"}
    return AlertAnswer(**fields, created_time=iso(alert.created_ts))


def _event(event: AlertEvent) -> AlertEventAnswer:
    return AlertEventAnswer(
        snapshot=event.snapshot,
        expiry=event.expiry,
        value=event.value,
        source_ts=event.source_ts,
        source_time=iso(event.source_ts),
    )
