"""Every metric of this service besides those of its HTTP frame. Never an account or an address as a label."""

from aro.runtime.metrics import counter

logins = counter(
    "auth_logins_total", "Logins, by result", ["result"], values=("ok", "refused", "unverified", "disabled")
)
registrations = counter(
    "auth_registrations_total", "Registrations, by result", ["result"], values=("ok", "conflict", "refused")
)
refreshes = counter(
    "auth_refreshes_total", "Refreshes, by result", ["result"], values=("ok", "repeated", "refused", "reused")
)
exchanges = counter(
    "auth_exchanges_total", "Exchanges of personal tokens, by result", ["result"], values=("ok", "refused")
)
sessions_ended = counter("auth_sessions_ended_total", "Sessions that were ended before they expired", ["reason"])
announcements_failed = counter("auth_announcements_failed_total", "Ended sessions that Redis could not be told at once")
throttled = counter("auth_throttled_total", "Requests refused by a throttle", ["route"])
