"""Every metric of this service. Labels are few: never a strike, a user or a socket."""

from aro.runtime.metrics import LATENCY_BUCKETS, counter, gauge, histogram

connections = gauge("ws_connections", "Sockets that are authenticated now")
connects = counter(
    "ws_connects_total",
    "Handshakes by result: accepted, or why not",
    ["result"],
    values=(
        "accepted",
        # By HTTP: now, from here, or ever.
        *("warming_up", "draining", "gateway_full", "too_many_handshakes"),
        *("too_many_sockets_of_address", "too_many_handshakes_of_address"),
        *("origin_forbidden", "protocol_error"),
        # Never came to the point.
        *("too_slow", "crowded_out", "not_admitted"),
    ),
)
disconnects = counter(
    "ws_disconnects_total",
    "Authenticated sockets that ended, by reason",
    ["reason"],
    values=("slow", "rate_limited", "protocol_error"),
)
subscriptions = gauge("ws_subscriptions", "Channels joined, summed over all sockets")
outbox = gauge("ws_outbox_bytes", "What sockets have not taken yet, summed over all")
longest_outbox = gauge("ws_outbox_max_bytes", "What one socket has not taken yet, at most")
send_queue = gauge("ws_send_queue_depth", "Longest queue of what one socket has not taken yet, in messages")
conflated = counter("ws_conflated_total", "Times that what waited for a socket was replaced by what came after it")
bytes_sent = counter("ws_bytes_sent_total", "Bytes handed to the kernel")
broadcast_seconds = histogram(
    "ws_broadcast_duration_seconds",
    "Time to write what one turn brought to all its sockets; nothing else runs meanwhile",
    buckets=(0.0001, 0.0005, 0.001, 0.0025, *LATENCY_BUCKETS),
)
messages_sent = counter("ws_messages_sent_total", "Messages handed to sockets", ["event"])
gaps_detected = counter("ws_gap_detected_total", "Holes found in what Redis announced")
resyncs = counter(
    "ws_resync_total", "Holes that only a new snapshot could close", ["reason"], values=("gap", "epoch_changed")
)
recoveries = counter("ws_recover_total", "Subscriptions that asked to resume", ["recovered"], values=("true", "false"))
stale_dropped = counter("stale_dropped_total", "Announcements that were not news", ["stage"], values=("gateway",))
rejected_announcements = counter("ws_announcements_rejected_total", "Announcements that cannot be read")
pubsub_connected = gauge("gateway_pubsub_connected", "1 while the gateway listens to Redis")
pubsub_reconnects = counter("gateway_pubsub_reconnects_total", "Times the connection to Redis was lost")
pubsub_lag = histogram(
    "gateway_pubsub_lag_seconds",
    "From Redis' announcement to the hand-over to sockets",
    buckets=(0.001, 0.0025, *LATENCY_BUCKETS),
)
DELIVERY_BUCKETS = LATENCY_BUCKETS
end_to_end = histogram(
    "end_to_end_latency_seconds",
    "From the source's own time stamp to the hand-over to sockets",
    ["kind"],
    buckets=DELIVERY_BUCKETS,
)
topic_age = gauge("topic_age_seconds", "Age of the newest data handed over, by the source's time stamp", ["product"])
loop_lag = gauge("eventloop_lag_seconds", "Longest time that the event loop was late in the last 15 seconds")
