"""Every metric of this service besides those of its HTTP frame. Never an account or an address as a label."""

from aro.runtime.metrics import counter, gauge, histogram

upstream_seconds = histogram("upstream_request_seconds", "Time until an upstream answered or failed", ["upstream"])
upstream_failures = counter(
    "upstream_failures_total",
    "Calls without an answer; reason is connect, reset, timeout, protocol or body",
    ["upstream", "reason"],
)
circuit_state = gauge("circuit_state", "0 closed, 1 half open, 2 open: left alone", ["upstream"])
bulkhead_rejected = counter("bulkhead_rejected_total", "Calls refused because their upstream is busy", ["upstream"])
rate_limited = counter("rate_limited_total", "Requests refused by a limit; scope is user or address", ["scope"])
quota_draws = counter(
    "quota_draws_total", "Slices of limits drawn; source is redis, or memory while Redis is away", ["source"]
)
exchanges = counter("token_exchanges_total", "Personal tokens exchanged; result is ok, refused or failed", ["result"])
live_answers = counter(
    "live_answers_total", "Latest states answered from memory; way is loop (without a thread) or thread", ["way"]
)
