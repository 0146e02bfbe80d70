"""Limits on logins and registrations per address.

Counters live in Redis when there is one, and in this process's memory while Redis is away: a login must
not depend on it.
"""

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask import Flask, Response, request
from flask_limiter import Limiter
from flask_limiter.errors import RateLimitExceeded

from aro.adapters import redis_client
from aro.contracts.problems import RateLimited
from aro.runtime.logs import get_logger
from aro.runtime.web import answer_problem, client_address
from auth_service import metrics
from auth_service.settings import AuthSettings

log = get_logger(__name__)

View = TypeVar("View", bound=Callable[..., Any])

REDIS_SECONDS: Final = 0.5


class Throttle:
    """Decorators for views, `attach`ed to one app."""

    def __init__(self, settings: AuthSettings) -> None:
        self._settings = settings
        options: dict[str, Any] = {}
        if settings.redis_url:
            options["connection_pool"] = redis_client.connect(settings.redis_url, timeout=REDIS_SECONDS).connection_pool
        self._limiter = Limiter(
            client_address,
            strategy="moving-window",
            storage_uri=settings.redis_url or "memory://",
            storage_options=options,
            in_memory_fallback_enabled=True,
            key_prefix="auth",
        )

    def attach(self, app: Flask) -> None:
        self._limiter.init_app(app)
        app.register_error_handler(RateLimitExceeded, self._answer)
        app.register_error_handler(RateLimited, count_refusal)

    def registrations(self, view: View) -> View:
        return self._limit(f"{self._settings.registrations_per_hour} per hour")(view)

    def logins(self, view: View) -> View:
        return self._limit(f"{self._settings.logins_per_minute} per minute")(view)

    def _limit(self, limit: str, **options: Any) -> Callable[[View], View]:
        decorator: Any = self._limiter.limit(limit, **options)
        return lambda view: decorator(view)

    def _answer(self, _: RateLimitExceeded) -> Response:
        breached = self._limiter.current_limit
        wait = max(1, breached.reset_at - int(time.time())) if breached else 1
        return count_refusal(RateLimited(f"too many attempts; try again in {wait} s", retry_after=wait))


def count_refusal(error: RateLimited) -> Response:
    route = request.endpoint or ""
    metrics.throttled.labels(route).inc()
    log.warning("throttled", **{"event.action": "excess_rate_limit_exceeded", "http.route": route})
    return answer_problem(error)
