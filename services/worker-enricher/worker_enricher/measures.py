"""What a process that enriches says of its work, beside what every process says."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from aro.contracts.vitals import PipelineVitals, Spread
from aro.runtime.metrics import readings, value
from aro.runtime.vitals import Totals, spread
from worker_enricher import metrics

_STAGE: Final = "stage "
_KIND: Final = "kind "


class PipelineMeasures:
    """`aro.runtime.vitals.Measures`."""

    def totals(self) -> Totals:
        stages = readings(metrics.stage_seconds, "stage")
        published = readings(metrics.publish_seconds, "kind")
        return {
            "chains": (value(metrics.chains_processed),),
            "ticks": (value(metrics.ticks_processed),),
            **{_STAGE + name: numbers for name, numbers in stages.items()},
            **{_KIND + name: numbers for name, numbers in published.items()},
        }

    def told(self, gained: Totals) -> Mapping[str, Any]:
        vitals = PipelineVitals(
            chains=round(gained["chains"][0]),
            ticks=round(gained["ticks"][0]),
            stages=dict(_spreads(gained, _STAGE, metrics.STAGE_BUCKETS)),
            published=dict(_spreads(gained, _KIND, metrics.PUBLISH_BUCKETS)),
        )
        return {"pipeline": vitals}


def _spreads(gained: Totals, prefix: str, bounds: tuple[float, ...]) -> Iterator[tuple[str, Spread]]:
    for name, numbers in gained.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), spread(bounds, numbers)
