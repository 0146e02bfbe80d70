"""Every expression that boards, rules and alerts contain, and the metrics that each names."""

import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from boards import BOARDS

from aro.runtime.metrics import DECLARED

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "observability" / "prometheus"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
METRIC_MODULES = (
    *("auth_service.metrics", "storage_service.metrics", "analytics_service.metrics", "logging_service.metrics"),
    *("api_gateway.metrics", "socket_gateway.metrics", "feed_generator.metrics", "worker_enricher.metrics"),
    *("worker_enricher.vital_metrics", "aro.runtime.web", "aro.runtime.log_shipping"),
)
BY_PROMETHEUS = {"up", "ALERTS"}
"""Series that Prometheus makes itself."""
BY_CLIENT = {"process_start_time_seconds", "process_open_fds", "process_max_fds"}
BY_CLIENT |= {"process_cpu_seconds_total", "process_resident_memory_bytes"}
"""Metrics of every process that prometheus_client serves by itself."""
_WORDS = {"by", "and", "or", "unless", "on", "without", "vector"}
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def declared() -> dict[str, str]:
    for module in METRIC_MODULES:
        importlib.import_module(module)
    return DECLARED


@cache
def rules() -> tuple[dict[str, Any], ...]:
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULE_FILES]
    return tuple(rule for document in documents for group in document["groups"] for rule in group["rules"])


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> set[str]:
    return {rule["record"] for rule in rules() if "record" in rule}


def board_expressions() -> dict[str, str]:
    """Where it is shown → expression, with Grafana's variables replaced as for a first look."""
    return {
        f"{board.title} > {panel.title} > {legend}": ready(expression)
        for board in BOARDS
        for row in board.rows
        for panel in row.panels
        for expression, legend in panel.series.items()
    }


def ready(expression: str) -> str:
    for variable, value in (("$__rate_interval", "1m"), ("$instance", ".*"), ("$service", "api-gateway")):
        expression = expression.replace(variable, value)
    return expression


def everything() -> dict[str, str]:
    named = {rule.get("alert", rule.get("record")): rule["expr"] for rule in rules()}
    return {**board_expressions(), **named}


def metrics_of(expression: str) -> set[str]:
    """Names of series: what is left without label matchers, groupings, ranges, numbers and functions."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", re.sub(r'"[^"]*"', "", expression))
    bare = re.sub(r"\b(by|without|on)\s*\([^)]*\)", "", bare)
    return {
        name
        for name in re.findall(r"[A-Za-z_][\w:]*(?!\w*\s*\()", bare)
        if name not in _WORDS and not _call(bare, name)
    }


def family(series: str) -> str:
    """The metric that a series belongs to."""
    return series if series in declared() else _SUFFIX.sub("", series)


def _call(text: str, name: str) -> bool:
    return re.search(rf"\b{name}\s*\(", text) is not None
