"""From the feed through Redis, Celery and MongoDB to what is published."""

from boards.panels import Board, Panel, Row, mean, quantile, rate

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
                Panel("Passed over per second", {rate("conflated_total", "stream"): "{{stream}}"}),
                Panel(
                    "Stored raw",
                    {"max(passed_over_entries)": "not enriched yet", rate("caught_up_total"): "enriched per second"},
                ),
                Panel("Tasks in the queue", {"max by (queue) (celery_queue_length)": "{{queue}}"}),
            ),
        ),
        Row(
            "Work",
            (
                Panel("Chains per second", {rate("pipeline_chains_total", "product"): "{{product}}"}),
                Panel("Stage, 99 %", {"stage:pipeline_stage_latency_seconds:p99_5m": "{{stage}}"}, "s"),
                Panel(
                    "From source to publication, 99 %",
                    {quantile(0.99, "publish_latency_seconds", "kind"): "{{kind}}"},
                    "s",
                ),
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
            "Replay sessions",
            (
                Panel("Sessions", {"max(replay_sessions)": "played", rate("replay_unheard_total"): "ended unheard"}),
                Panel(
                    "Per second",
                    {
                        rate("replay_messages_total"): "handed to workers",
                        rate("replay_published_total"): "states published",
                        rate("replay_rejected_total", "reason"): "rejected: {{reason}}",
                    },
                ),
                Panel("Seek, 99 %", {quantile(0.99, "replay_seek_seconds", "job"): "{{job}}"}, "s"),
            ),
            collapsed=True,
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
