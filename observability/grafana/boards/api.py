"""Requests, errors and durations, from the api-gateway to the services behind it."""

from boards.panels import USER_ROUTES, Board, Panel, Row, quantile, rate

API = Board(
    "aro-api",
    "Option ARO / API",
    "Requests, errors and durations, from the api-gateway to the services behind it.",
    (
        Row(
            "All requests",
            (
                Panel(
                    "Per second",
                    {rate("http_request_duration_seconds_count", "service", USER_ROUTES): "{{service}}"},
                    "reqps",
                ),
                Panel("Duration, 99 %", {"service:http_request_duration_seconds:p99_5m": "{{service}}"}, "s"),
                Panel(
                    "Errors per second",
                    {
                        rate(
                            "http_request_duration_seconds_count", "service, status", 'status=~"5.."'
                        ): "{{service}} {{status}}"
                    },
                    "reqps",
                ),
                Panel(
                    "Share of errors (objective: 0.1 %)",
                    {"api:http_errors:ratio_rate5m": "5 minutes", "api:http_errors:ratio_rate1h": "1 hour"},
                    "percentunit",
                ),
            ),
        ),
        Row(
            "Routes of $service",
            (
                Panel(
                    "Per second",
                    {
                        rate(
                            "http_request_duration_seconds_count", "route, status", f'service="$service",{USER_ROUTES}'
                        ): "{{route}} {{status}}"
                    },
                    "reqps",
                ),
                Panel(
                    "Duration, 99 %",
                    {
                        quantile(
                            0.99, "http_request_duration_seconds", "route", f'service="$service",{USER_ROUTES}'
                        ): "{{route}}"
                    },
                    "s",
                ),
            ),
        ),
        Row(
            "Services behind the api-gateway",
            (
                Panel(
                    "Answer time, 99 %", {quantile(0.99, "upstream_request_seconds", "upstream"): "{{upstream}}"}, "s"
                ),
                Panel(
                    "No answer, per second",
                    {rate("upstream_failures_total", "upstream, reason"): "{{upstream}}: {{reason}}"},
                ),
                Panel("Circuit (2 is open)", {"max by (upstream) (circuit_state)": "{{upstream}}"}),
                Panel("Refused as busy, per second", {rate("bulkhead_rejected_total", "upstream"): "{{upstream}}"}),
                Panel("Answered from memory, per second", {rate("live_answers_total", "way"): "{{way}}"}),
            ),
        ),
        Row(
            "Analytics",
            (
                Panel("Computed per second", {rate("analytics_computations_total", "route"): "{{route}}"}),
                Panel("From the cache, per second", {rate("analytics_cache_hits_total", "route"): "{{route}}"}),
                Panel(
                    "Time to compute, 99 %", {quantile(0.99, "analytics_compute_seconds", "route"): "{{route}}"}, "s"
                ),
                Panel("Cache", {"analytics_cache_bytes": "{{instance}}"}, "bytes"),
                Panel("Refused per second", {rate("analytics_refused_total"): "too many at once"}),
                Panel(
                    "Alerts of users",
                    {
                        "analytics_alerts_watched": "watched",
                        rate("analytics_alert_events_total"): "went off per second",
                    },
                ),
            ),
            collapsed=True,
        ),
    ),
    {"service": "label_values(http_request_duration_seconds_count, service)"},
)
