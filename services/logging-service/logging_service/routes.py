"""The routes of the logging service: reading is for admins, posting for every account within its quota."""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from flask import Response, g, request

from aro.adapters.clock import Clock
from aro.adapters.tokens import Principal
from aro.contracts.problems import InvalidRequest, RateLimited, TokenExpired
from aro.runtime.api import Blueprint
from aro.runtime.health import Health
from aro.runtime.queries import NoQuery
from aro.runtime.web import admin_only, json_response
from logging_service import answers
from logging_service.events import EVENT_STREAM, FollowerGone, events, is_gone, position
from logging_service.ingest import Ingest
from logging_service.reader import Query, Reader, matcher
from logging_service.schemas import LinesBody, SearchQuery, TailQuery
from logging_service.tail import Tails

Refuse = Callable[[Principal], None]
"""Raises if the session behind a principal has ended."""

SEND_SECONDS: Final = 20.0
"""A follower that takes nothing for so long is gone; its thread is needed."""


def log_routes(reader: Reader, ingest: Ingest, database: Health) -> Blueprint:
    blueprint = Blueprint("logs", __name__, url_prefix="/api/v1/logs", description="Log lines of all services")
    blueprint.before_request(database.require_ready)

    @blueprint.get("")
    @admin_only
    @blueprint.arguments(SearchQuery, location="query")
    @blueprint.answers(
        answers.LogPage, "Lines", problems=(InvalidRequest,), example=answers.PAGE_EXAMPLE, headers=("Cache-Control",)
    )
    def search(query: Query) -> Response:
        """Lines that match everything that is asked for.

        Without `since` it is the last hour or, with `request_id`, everything that is kept. A request looks at a
        bounded number of lines; `truncated` says that it stopped early, and `next_cursor` goes on from there.
        """
        start_ms, end_ms, found = reader.search(query)
        return json_response(
            {
                "since_ts": start_ms,
                "until_ts": end_ms,
                "items": [msgspec.Raw(line) for line in found.lines],
                "next_cursor": found.next_cursor,
                "truncated": found.is_truncated,
            }
        )

    @blueprint.get("/services")
    @admin_only
    @blueprint.arguments(NoQuery, location="query")
    @blueprint.answers(answers.ServiceList, "Services, by name", example=answers.SERVICES_EXAMPLE)
    def services(_: Query) -> Response:
        """Services that have lines, and since when."""
        return json_response(reader.services())

    @blueprint.post("")
    @blueprint.arguments(LinesBody)
    @blueprint.answers(
        answers.Accepted,
        "All lines are stored",
        status=201,
        problems=(RateLimited,),
        example=answers.ACCEPTED_EXAMPLE,
    )
    def post(body: dict[str, Any]) -> Response:
        """Add lines of a program of yours; only admins can read them.

        They are marked as posted, with your account. A 201 means that they are on disk; after any other answer, post
        again with the same `event.id`s and each line is kept once.
        """
        principal: Principal = g.principal
        accepted = ingest.accept(
            body, account=principal.subject, size=request.content_length or len(request.get_data())
        )
        return json_response(accepted, 201)

    return blueprint


def tail_routes(tails: Tails, refuse: Refuse, clock: Clock) -> Blueprint:
    blueprint = Blueprint("tail", __name__, url_prefix="/api/v1/logs", description="Log lines as they are written")

    @blueprint.get("/tail")
    @admin_only
    @blueprint.arguments(TailQuery, location="query")
    @blueprint.answers(
        answers.TailEvent,
        "Server-Sent Events, each as described",
        problems=(RateLimited,),
        media_type=EVENT_STREAM,
        example=answers.TAIL_EXAMPLE,
    )
    def tail(query: Query) -> Response:
        """Follow lines as they are written, until the access token ends.

        Send the last `id` as `Last-Event-ID` to go on where a connection broke. Who is too slow is told how many
        lines were dropped.
        """
        after_id = position(request.headers.get("Last-Event-ID"))
        principal: Principal = g.principal

        connection = request.environ.get("gunicorn.socket")

        def check() -> None:
            if connection is not None and is_gone(connection):
                raise FollowerGone
            if clock.now_ms() >= principal.expires_at * 1000:
                raise TokenExpired("the access token has expired")
            refuse(principal)

        opened = tails.open(matcher(query))
        if connection is not None:
            connection.settimeout(SEND_SECONDS)
        until = time.monotonic() + (query["seconds"] or float("inf"))
        response = Response(events(tails, opened, after_id=after_id, until=until, check=check), mimetype=EVENT_STREAM)
        response.call_on_close(lambda: tails.close(opened))
        response.headers["Cache-Control"] = "no-cache, no-store"
        response.headers["X-Accel-Buffering"] = "no"  # proxies must pass on each event at once
        response.headers["Connection"] = "close"
        return response

    return blueprint
