"""Logins, sessions, refusals, and whether the logs that tell of them arrive."""

from boards.panels import Board, Panel, Row, rate

SECURITY = Board(
    "aro-security",
    "Option ARO / Security and logs",
    "Logins, sessions, refusals, and whether the logs that tell of them arrive.",
    (
        Row(
            "Accounts",
            (
                Panel("Logins per second", {rate("auth_logins_total", "result"): "{{result}}"}),
                Panel("Registrations per second", {rate("auth_registrations_total", "result"): "{{result}}"}),
                Panel("Refreshes per second", {rate("auth_refreshes_total", "result"): "{{result}}"}),
                Panel("Sessions ended per second", {rate("auth_sessions_ended_total", "reason"): "{{reason}}"}),
                Panel(
                    "Used refresh tokens shown again, last hour",
                    {'sum(increase(auth_refreshes_total{result="reused"}[1h]))': "reused"},
                    kind="stat",
                    warn=1,
                ),
                Panel(
                    "Personal tokens exchanged per second",
                    {
                        rate("auth_exchanges_total", "result"): "auth: {{result}}",
                        rate("token_exchanges_total", "result"): "api-gateway: {{result}}",
                    },
                ),
            ),
        ),
        Row(
            "Refusals",
            (
                Panel("Throttled at auth, per second", {rate("auth_throttled_total", "route"): "{{route}}"}),
                Panel(
                    "Over a limit at the api-gateway, per second",
                    {
                        rate("rate_limited_total", "scope"): "{{scope}}",
                        rate("quota_draws_total", "source"): "drawn from {{source}}",
                    },
                ),
                Panel(
                    "401 and 403 per second",
                    {
                        rate(
                            "http_request_duration_seconds_count", "service, status", 'status=~"401|403"'
                        ): "{{service}} {{status}}"
                    },
                ),
                Panel(
                    "Sockets refused per second",
                    {rate("ws_connects_total", "result", 'result!="accepted"'): "{{result}}"},
                ),
            ),
        ),
        Row(
            "Logs",
            (
                Panel(
                    "Stored per second",
                    {rate("log_lines_stored_total"): "stored", rate("log_shipped_total", "job"): "shipped by {{job}}"},
                ),
                Panel(
                    "Not stored, per second",
                    {
                        rate("log_lines_lost_total"): "lost",
                        rate("log_lines_refused_total"): "refused",
                        rate("log_dropped_total", "job"): "on stdout only: {{job}}",
                    },
                ),
                Panel(
                    "Waiting", {"max(log_stream_waiting)": "in the stream", "max(log_stream_owed)": "read, not stored"}
                ),
                Panel("Size of stored lines", {"max(log_stored_bytes)": "bytes"}, "bytes"),
                Panel(
                    "Live tails", {"sum(log_tails)": "open", rate("log_tail_dropped_total"): "lines dropped per second"}
                ),
            ),
            collapsed=True,
        ),
    ),
)
