"""What the boards show, in words; `generate.py` makes Grafana's JSON of it.

A board is rows of panels. `kind` is a Grafana panel, `unit` one of Grafana's units. Expressions use `$__rate_interval`
for rates, and metrics that are declared (tests hold that).
"""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["timeseries", "stat", "table"]
_USER_ROUTES = 'route!~"/(livez|readyz|health|metrics)"'


@dataclass(frozen=True)
class Panel:
    """`series`: expression → legend. Beyond `warn` a stat turns red."""

    title: str
    series: dict[str, str]
    unit: str = "short"
    kind: Kind = "timeseries"
    warn: float | None = None


@dataclass(frozen=True)
class Row:
    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


@dataclass(frozen=True)
class Board:
    """`variables`: name → query whose values a person can pick."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: dict[str, str] = field(default_factory=dict)


def rate(metric: str, by: str = "", where: str = "") -> str:
    selector = f"{metric}{{{where}}}" if where else metric
    return f"sum{f' by ({by})' if by else ''} (rate({selector}[$__rate_interval]))"


def quantile(q: float, metric: str, by: str = "", where: str = "") -> str:
    labels = f"{by}, le" if by else "le"
    selector = f"{metric}_bucket{{{where}}}" if where else f"{metric}_bucket"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({selector}[$__rate_interval])))"


def mean(metric: str, by: str) -> str:
    return f"{rate(f'{metric}_sum', by)} / {rate(f'{metric}_count', by)}"


OVERVIEW = Board(
    "aro-overview",
    "Option ARO / Overview",
    "Is the data fresh, is it fast, is anything wrong?",
    (
        Row(
            "Now",
            (
                Panel("Oldest data", {"max(topic_age_seconds)": "age"}, "s", "stat", 5),
                Panel("Latency, 99 %", {"max(kind:end_to_end_latency_seconds:p99_5m)": "p99"}, "s", "stat", 1),
                Panel("Clients", {"sum(ws_connections)": "sockets"}, kind="stat"),
                Panel("Processes away", {"count(up == 0) or vector(0)": "away"}, kind="stat", warn=1),
                Panel("Alerts", {'count(ALERTS{alertstate="firing"}) or vector(0)': "firing"}, kind="stat", warn=1),
                Panel("Dead letters", {"max(dead_letter_entries)": "kept"}, kind="stat", warn=1),
            ),
        ),
        Row(
            "Flow",
            (
                Panel("Age of the newest data", {"max by (product) (topic_age_seconds)": "{{product}}"}, "s"),
                Panel(
                    "From source to sockets",
                    {
                        "kind:end_to_end_latency_seconds:p99_5m": "{{kind}} 99 %",
                        "kind:end_to_end_latency_seconds:p50_5m": "{{kind}} 50 %",
                    },
                    "s",
                ),
                Panel(
                    "Messages per second",
                    {
                        rate("feed_ticks_published_total"): "ticks in",
                        rate("feed_chains_published_total"): "chains in",
                        rate("pipeline_chains_total"): "chains enriched",
                        rate("ws_messages_sent_total"): "sent to sockets",
                    },
                ),
                Panel("HTTP requests per second", {"service:http_requests:rate5m": "{{service}}"}, "reqps"),
            ),
        ),
        Row(
            "Firing alerts and versions",
            (
                Panel("Alerts", {'ALERTS{alertstate="firing"}': "{{alertname}}"}, kind="table"),
                Panel("Versions", {"count by (service, version) (app_build_info)": "{{service}}"}, kind="table"),
            ),
        ),
        Row(
            "Processes",
            (
                Panel(
                    "Processor",
                    {"rate(process_cpu_seconds_total[$__rate_interval])": "{{job}} {{instance}}"},
                    "percentunit",
                ),
                Panel("Memory", {"process_resident_memory_bytes": "{{job}} {{instance}}"}, "bytes"),
                Panel("Open files", {"process_open_fds": "{{job}} {{instance}}"}),
                Panel("Running for", {"time() - process_start_time_seconds": "{{job}} {{instance}}"}, "s"),
            ),
            collapsed=True,
        ),
    ),
)

PIPELINE = Board(
    "aro-pipeline",
    "Option ARO / Pipeline",
    "From the feed through Redis, Celery and MongoDB to what is published.",
    (
        Row(
            "Feed",
            (
                Panel(
                    "Published per second",
                    {
                        rate("feed_ticks_published_total", "product"): "ticks {{product}}",
                        rate("feed_chains_published_total", "product"): "chains {{product}}",
                    },
                ),
                Panel(
                    "Since the newest tick",
                    {"time() - max by (product) (feed_last_tick_timestamp_seconds)": "{{product}}"},
                    "s",
                ),
                Panel(
                    "Trouble per second",
                    {
                        rate("feed_publish_errors_total"): "failed attempts",
                        rate("feed_dropped_total", "reason"): "dropped: {{reason}}",
                        rate("feed_rejected_total", "reason"): "rejected: {{reason}}",
                        rate("feed_resent_total"): "sent again",
                        rate("feed_skipped_ticks_total"): "skipped",
                    },
                ),
                Panel("Waiting in the feed", {"max(feed_buffer_entries)": "messages"}),
            ),
        ),
        Row(
            "Ledger and queue",
            (
                Panel("Not given to a worker yet", {"max by (stream) (pipeline_stream_lag)": "{{stream}}"}),
                Panel("Given out and owed", {"max by (stream) (pipeline_pending)": "{{stream}}"}),
                Panel("Oldest that is owed", {"max by (stream) (pipeline_oldest_pending_seconds)": "{{stream}}"}, "s"),
                Panel("Tasks in the queue", {"max by (queue) (celery_queue_length)": "{{queue}}"}),
            ),
        ),
        Row(
            "Work",
            (
                Panel("Chains per second", {rate("pipeline_chains_total", "product"): "{{product}}"}),
                Panel("Stage, 99 %", {"stage:pipeline_stage_latency_seconds:p99_5m": "{{stage}}"}, "s"),
                Panel("Task, 99 %", {quantile(0.99, "celery_task_duration_seconds", "task"): "{{task}}"}, "s"),
                Panel("Wait for a worker, 99 %", {quantile(0.99, "celery_task_wait_seconds", "task"): "{{task}}"}, "s"),
                Panel("Entries per batch", {mean("pipeline_batch_entries", "job"): "mean"}),
                Panel("Ticks per second", {rate("pipeline_ticks_total", "product"): "{{product}}"}),
                Panel("Surfaces per second", {rate("surfaces_total", "model"): "{{model}}"}),
                Panel("Minutes owed to bars", {"max(bars_owed)": "owed", rate("bars_total"): "rolled up per second"}),
            ),
        ),
        Row(
            "Faults",
            (
                Panel("Failing tasks", {"task:celery_task_failures:ratio_rate5m": "{{task}}"}, "percentunit"),
                Panel(
                    "Per second",
                    {
                        rate("task_redelivered_total", "stream"): "sent again: {{stream}}",
                        rate("dead_letter_total", "reason"): "dead: {{reason}}",
                        rate("store_failures_total"): "not stored",
                        rate("task_failures_total", "task"): "failed: {{task}}",
                        rate("surfaces_not_stored_total"): "surfaces not stored",
                    },
                ),
                Panel("Repeats that changed nothing", {rate("duplicate_ignored_total", "stage"): "{{stage}}"}),
            ),
        ),
        Row(
            "Redis and MongoDB",
            (
                Panel(
                    "Up",
                    {"max(redis_up)": "Redis", "max(mongo_up)": "MongoDB", "max(mongo_has_primary)": "has a primary"},
                ),
                Panel(
                    "Redis memory",
                    {"max(redis_memory_used_bytes)": "used", "max(redis_memory_limit_bytes)": "limit"},
                    "bytes",
                ),
                Panel("Redis commands per second", {"max(redis_operations_per_second)": "commands"}),
                Panel("Redis connections", {"max(redis_connected_clients)": "clients"}),
                Panel("MongoDB replication lag", {"max(mongo_replication_lag_seconds)": "slowest member"}, "s"),
            ),
            collapsed=True,
        ),
    ),
)

GATEWAY = Board(
    "aro-gateway",
    "Option ARO / Socket gateway",
    "Sockets, what is sent to them, and the health of the event loops.",
    (
        Row(
            "Sockets",
            (
                Panel("Connections", {'ws_connections{instance=~"$instance"}': "{{instance}}"}),
                Panel("Channels joined", {'ws_subscriptions{instance=~"$instance"}': "{{instance}}"}),
                Panel("Handshakes per second", {rate("ws_connects_total", "result"): "{{result}}"}),
                Panel("Ended per second", {rate("ws_disconnects_total", "reason"): "{{reason}}"}),
            ),
        ),
        Row(
            "Delivery",
            (
                Panel("Messages per second", {rate("ws_messages_sent_total", "event"): "{{event}}"}),
                Panel(
                    "Redis to sockets, 99 %",
                    {quantile(0.99, "gateway_pubsub_lag_seconds", "instance"): "{{instance}}"},
                    "s",
                ),
                Panel(
                    "Queueing one message, 99 %",
                    {quantile(0.99, "ws_broadcast_duration_seconds", "instance"): "{{instance}}"},
                    "s",
                ),
                Panel("Longest queue of a socket", {'ws_send_queue_depth{instance=~"$instance"}': "{{instance}}"}),
                Panel("Source to sockets, 99 %", {"kind:end_to_end_latency_seconds:p99_5m": "{{kind}}"}, "s"),
                Panel(
                    "Age of the newest data",
                    {'topic_age_seconds{instance=~"$instance"}': "{{product}} {{instance}}"},
                    "s",
                ),
            ),
        ),
        Row(
            "Event loop and Redis",
            (
                Panel("Event loop late by", {'eventloop_lag_seconds{instance=~"$instance"}': "{{instance}}"}, "s"),
                Panel("Follows Redis", {'gateway_pubsub_connected{instance=~"$instance"}': "{{instance}}"}),
                Panel("Lost Redis per second", {rate("gateway_pubsub_reconnects_total", "instance"): "{{instance}}"}),
            ),
        ),
        Row(
            "Gaps",
            (
                Panel(
                    "Per second",
                    {
                        rate("ws_gap_detected_total"): "gaps",
                        rate("ws_resync_total", "reason"): "start over: {{reason}}",
                        rate("stale_dropped_total"): "no news",
                        rate("ws_announcements_rejected_total"): "unreadable",
                    },
                ),
                Panel("Resumed per second", {rate("ws_recover_total", "recovered"): "recovered: {{recovered}}"}),
            ),
            collapsed=True,
        ),
    ),
    {"instance": "label_values(ws_connections, instance)"},
)

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
                    {rate("http_request_duration_seconds_count", "service", _USER_ROUTES): "{{service}}"},
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
                            "http_request_duration_seconds_count", "route, status", f'service="$service",{_USER_ROUTES}'
                        ): "{{route}} {{status}}"
                    },
                    "reqps",
                ),
                Panel(
                    "Duration, 99 %",
                    {
                        quantile(
                            0.99, "http_request_duration_seconds", "route", f'service="$service",{_USER_ROUTES}'
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

BOARDS = (OVERVIEW, PIPELINE, GATEWAY, API, SECURITY)
