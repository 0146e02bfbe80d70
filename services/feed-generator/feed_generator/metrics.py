"""Every metric of this service. Labels are few: never a strike or an id."""

from aro.runtime.metrics import counter, gauge, histogram

ticks_published = counter("feed_ticks_published_total", "Ticks that Redis has taken", ["product"])
chains_published = counter("feed_chains_published_total", "Chain snapshots that Redis has taken", ["product"])
last_tick = gauge("feed_last_tick_timestamp_seconds", "Source time of the newest tick Redis has taken", ["product"])
publish_errors = counter("feed_publish_errors_total", "Attempts to publish that failed")
dropped = counter(
    "feed_dropped_total",
    "Messages dropped because the buffer was full",
    ["reason"],
    values=("overload", "backpressure", "redis_away"),
)
rejected = counter("feed_rejected_total", "Messages not published because they are not sound", ["reason"])
resent = counter("feed_resent_total", "Messages sent again because Redis may have lost them")
skipped = counter("feed_skipped_ticks_total", "Ticks skipped because their time had passed")
buffered = gauge("feed_buffer_entries", "Messages waiting to be published")
replay_sessions = gauge("replay_sessions", "Replay sessions that are played here")
replay_messages = counter("replay_messages_total", "Messages of replay sessions handed to the workers")
replay_unheard = counter("replay_unheard_total", "Replay sessions that ended because nobody listened to them")
replay_seeks = histogram(
    "replay_seek_seconds",
    "From an order to the first message that is due at the instant sought",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
