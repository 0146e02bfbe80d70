"""What a process gained of late, from metrics that only rise."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from aro.runtime.metrics import readings, value, values
from aro.runtime.vitals import Totals, Window, spread


def test_gains_are_those_of_the_window() -> None:
    window = Window(60)
    assert window.add({"chains": (100.0,)}, now=0.0) == (0.0, {"chains": (0.0,)})
    found: list[tuple[float, Totals]] = [window.add({"chains": (100.0 + second,)}, now=second) for second in range(99)]
    assert found[30] == (30.0, {"chains": (30.0,)}), "a younger process has a shorter window"
    assert found[98] == (60.0, {"chains": (60.0,)})


def test_after_a_pause_the_window_is_as_long_as_the_pause() -> None:
    window = Window(60)
    window.add({"n": (1.0,)}, now=0)
    window.add({"n": (2.0,)}, now=50)
    assert window.add({"n": (9.0,)}, now=200) == (150, {"n": (7.0,)})


def test_what_appears_within_the_window_is_gained_whole() -> None:
    window = Window(60)
    window.add({}, now=0)
    assert window.add({"new": (2.0, 3.0)}, now=2) == (2, {"new": (2.0, 3.0)})


def test_metrics_are_read_as_they_count() -> None:
    registry = CollectorRegistry()
    counter = Counter("ends_total", "ends", ["reason"], registry=registry)
    counter.labels("slow").inc(2)
    counter.labels("gone").inc()
    assert value(counter) == 3
    assert values(counter, "reason") == {"slow": 2, "gone": 1}
    histogram = Histogram("stage_seconds", "stages", ["stage"], buckets=(0.1, 1.0), registry=registry)
    for seconds in (0.05, 0.5, 0.5, 7.0):
        histogram.labels("store").observe(seconds)
    numbers = readings(histogram, "stage")["store"]
    assert numbers == (1, 2, 1, 8.05)
    told = spread((0.1, 1.0), numbers)
    assert (told.bounds_ms, told.counts, told.total_ms) == ((100.0, 1000.0), (1, 2, 1), 8050.0)
