"""How much history one request may ask for."""

from typing import Final

from aro.runtime.queries import DAY_MS, HOUR_MS, MINUTE_MS, SpanRule

CHAINS: Final = SpanRule(usual_ms=5 * MINUTE_MS, longest_ms=DAY_MS)
METRICS: Final = SpanRule(usual_ms=HOUR_MS, longest_ms=31 * DAY_MS)
TICKS: Final = SpanRule(usual_ms=HOUR_MS, longest_ms=7 * DAY_MS)
