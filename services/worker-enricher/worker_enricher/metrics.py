"""Every metric of this service. Labels are few: never a strike, a user or an id."""

from aro.contracts.names import LEDGER_STREAMS
from aro.contracts.problems import REJECTION_REASONS
from aro.runtime.metrics import LATENCY_BUCKETS, counter, gauge, histogram

entries_dispatched = counter("pipeline_dispatched_total", "Ledger entries handed to Celery", ["stream"])
batch_entries = histogram("pipeline_batch_entries", "Entries per task", buckets=(1, 2, 4, 8, 16, 32, 64, 128))
stream_lag = gauge("pipeline_stream_lag", "Entries that no consumer was given yet", ["stream"])
stream_pending = gauge("pipeline_pending", "Entries given out and not acknowledged yet", ["stream"])
queue_length = gauge("celery_queue_length", "Tasks waiting in the queue", ["queue"])
redelivered = counter(
    "task_redelivered_total", "Entries sent again because nobody acknowledged them", ["stream"], values=LEDGER_STREAMS
)
conflated = counter(
    "conflated_total",
    "Entries that a newer one of their series overtook in overload; they are stored raw and enriched later",
    ["stream"],
    values=LEDGER_STREAMS,
)
passed_over = gauge("passed_over_entries", "Entries that are stored raw and not enriched yet")
caught_up = counter("caught_up_total", "Entries that were stored raw and are enriched by now")
dead_letters = counter(
    "dead_letter_total", "Entries that were dead-lettered", ["reason"], values=sorted(REJECTION_REASONS)
)
chains_processed = counter("pipeline_chains_total", "Chains enriched, stored and published", ["product"])
ticks_processed = counter("pipeline_ticks_total", "Ticks stored and published", ["product"])
duplicates = counter(
    "duplicate_ignored_total",
    "Repeated messages that changed nothing",
    ["stage"],
    values=("ledger", "store", "publish"),
)
replayed = counter("replay_published_total", "States published on channels of replay sessions")
replay_rejected = counter(
    "replay_rejected_total",
    "Messages of replay sessions that were not published",
    ["reason"],
    values=sorted(REJECTION_REASONS),
)
store_failures = counter("store_failures_total", "Batches that MongoDB did not take; they are sent again")
enrich_failures = counter(
    "task_failures_total", "Unexpected errors while enriching", ["task"], values=("enrich", "surface", "unreadable")
)
surfaces = counter("surfaces_total", "Surfaces fitted and published", ["product", "model"])
surfaces_lost = counter("surfaces_not_stored_total", "Surfaces that history lacks: MongoDB refused them or was away")
bars = counter("bars_total", "Minutes of a product or an expiry that were rolled up")
bars_owed = gauge("bars_owed", "Minutes that are not rolled up yet, the running ones included")
STAGE_BUCKETS = (0.001, 0.0025, *LATENCY_BUCKETS)
stage_seconds = histogram(
    "pipeline_stage_latency_seconds",
    "Time per stage of a batch; stage wait is from the snapshot's own time to the worker",
    ["stage"],
    buckets=STAGE_BUCKETS,
)
PUBLISH_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
publish_seconds = histogram(
    "publish_latency_seconds", "From the source's own time stamp to its publication", ["kind"], buckets=PUBLISH_BUCKETS
)
task_wait = histogram("celery_task_wait_seconds", "From the sending of a task to its start", ["task"])
task_duration = histogram(
    "celery_task_duration_seconds", "Run time of a task; state is ok or failed", ["task", "state"]
)
