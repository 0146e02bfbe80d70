"""Every metric of this service. Labels are few: never a service that a client named, an account or an id."""

from aro.runtime.metrics import counter, gauge

stored = counter("log_lines_stored_total", "Lines written to MongoDB")
repeated = counter("log_lines_repeated_total", "Lines that were stored already, and came again")
refused = counter("log_lines_refused_total", "Lines that MongoDB would not take")
lost = counter("log_lines_lost_total", "Lines that were trimmed from the stream before they were read or stored")
waiting = gauge("log_stream_waiting", "Lines in the stream that were not read yet")
owed = gauge("log_stream_owed", "Lines that were read and are not stored yet")
size = gauge("log_stored_bytes", "Bytes that stored lines take")
deleted = counter("log_lines_deleted_total", "Lines deleted by retention or by the cap")
ingested = counter("log_ingest_lines_total", "Lines posted by outside programs, and stored")
untailed = counter("log_ingest_untailed_total", "Lines posted that live tails were not shown")
tails = gauge("log_tails", "Live tails that are open")
tail_dropped = counter("log_tail_dropped_total", "Lines that a live tail was too slow for")
