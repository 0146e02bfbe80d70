"""Metrics of the analytics service."""

from aro.runtime.metrics import counter, gauge, histogram

computations = counter("analytics_computations_total", "Answers computed, cache misses only", ["route"])
cache_hits = counter("analytics_cache_hits_total", "Answers given without computing, waiters included", ["route"])
refused = counter("analytics_refused_total", "Questions refused because too many heavy ones were being answered")
compute_seconds = histogram("analytics_compute_seconds", "Time to compute an answer, reading included", ["route"])
cache_bytes = gauge("analytics_cache_bytes", "Bytes of answers kept")
alerts_watched = gauge("analytics_alerts_watched", "Alerts that are being evaluated")
alert_events = counter("analytics_alert_events_total", "Alerts that went off here; replicas count each its own")
alert_failures = counter("analytics_alert_failures_total", "Alert events that could not be stored at once")
