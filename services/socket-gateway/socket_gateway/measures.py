"""What a gateway says of its clients, beside what every process says."""

from collections.abc import Mapping
from typing import Any, Final

from aro.contracts.vitals import GatewayVitals
from aro.runtime.metrics import readings, value, values
from aro.runtime.vitals import Totals, spread
from socket_gateway import metrics

_KIND: Final = "kind "


class GatewayMeasures:
    """`aro.runtime.vitals.Measures`."""

    def totals(self) -> Totals:
        return {
            "messages": (value(metrics.messages_sent),),
            "bytes": (value(metrics.bytes_sent),),
            "conflated": (value(metrics.conflated),),
            "slow": (values(metrics.disconnects, "reason").get("slow", 0.0),),
            **{_KIND + kind: numbers for kind, numbers in readings(metrics.end_to_end, "kind").items()},
        }

    def told(self, gained: Totals) -> Mapping[str, Any]:
        counts = {name: round(numbers[0]) for name, numbers in gained.items() if len(numbers) == 1}
        vitals = GatewayVitals(
            sockets=round(value(metrics.connections)),
            subscriptions=round(value(metrics.subscriptions)),
            waiting_bytes=round(value(metrics.outbox)),
            loop_lag_ms=round(value(metrics.loop_lag) * 1000, 1),
            messages=counts["messages"],
            bytes=counts["bytes"],
            conflated=counts["conflated"],
            slow_disconnects=counts["slow"],
            delivered={
                name.removeprefix(_KIND): spread(metrics.DELIVERY_BUCKETS, numbers)
                for name, numbers in gained.items()
                if name.startswith(_KIND)
            },
        )
        return {"gateway": vitals}
