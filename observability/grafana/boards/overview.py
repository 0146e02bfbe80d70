"""Is the data fresh, is it fast, is anything wrong?"""

from boards.panels import Board, Panel, Row, rate

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
