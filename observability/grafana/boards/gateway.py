"""Sockets, what is sent to them, and the health of the event loops."""

from boards.panels import Board, Panel, Row, quantile, rate

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
                    "Writing one turn, 99 %",
                    {quantile(0.99, "ws_broadcast_duration_seconds", "instance"): "{{instance}}"},
                    "s",
                ),
                Panel(
                    "Not taken yet",
                    {
                        'ws_outbox_bytes{instance=~"$instance"}': "all {{instance}}",
                        'ws_outbox_max_bytes{instance=~"$instance"}': "one socket {{instance}}",
                    },
                    "bytes",
                ),
                Panel(
                    "Left out for slow sockets, per second", {rate("ws_conflated_total", "instance"): "{{instance}}"}
                ),
                Panel("Bytes per second", {rate("ws_bytes_sent_total", "instance"): "{{instance}}"}, "Bps"),
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
