"""What boards are made of, in words; `generate.py` makes Grafana's JSON of it.

A board is rows of panels. `kind` is a Grafana panel, `unit` one of Grafana's units. Expressions use `$__rate_interval`
for rates, and metrics that are declared (tests hold that).
"""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["timeseries", "stat", "table"]
USER_ROUTES = 'route!~"/(livez|readyz|health|metrics)"'


@dataclass(frozen=True)
class Panel:
    """`series`: expression → legend. Beyond `warn` a stat turns red."""

    title: str
    series: dict[str, str]
    unit: str = "short"
    kind: Kind = "timeseries"
    warn: float | None = None


@dataclass(frozen=True)
class Row:
    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


@dataclass(frozen=True)
class Board:
    """`variables`: name → query whose values a person can pick."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: dict[str, str] = field(default_factory=dict)


def rate(metric: str, by: str = "", where: str = "") -> str:
    selector = f"{metric}{{{where}}}" if where else metric
    return f"sum{f' by ({by})' if by else ''} (rate({selector}[$__rate_interval]))"


def quantile(q: float, metric: str, by: str = "", where: str = "") -> str:
    labels = f"{by}, le" if by else "le"
    selector = f"{metric}_bucket{{{where}}}" if where else f"{metric}_bucket"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({selector}[$__rate_interval])))"


def mean(metric: str, by: str) -> str:
    return f"{rate(f'{metric}_sum', by)} / {rate(f'{metric}_count', by)}"
