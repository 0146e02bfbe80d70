"""``python observability/generate.py [--check]``: makes what follows from the boards and the rules.

That is grafana/dashboards/*.json, and for the Prometheus operator k8s/components/monitoring/rules.yaml. With `--check`
nothing is written; the exit code says whether the files are what they should be.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent / "grafana"))

from boards import BOARDS
from boards.panels import Board, Panel, Row

HERE: Final = Path(__file__).resolve().parent
BOARD_FOLDER: Final = HERE / "grafana" / "dashboards"
RULES: Final = (HERE / "prometheus" / "rules" / "recording.yml", HERE / "prometheus" / "rules" / "alerts.yml")
OPERATOR_RULES: Final = HERE.parent / "k8s" / "components" / "monitoring" / "rules.yaml"

DATASOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
COLUMNS: Final = 24
WIDTHS: Final = {"stat": 4, "timeseries": 12, "table": 12}
HEIGHTS: Final = {"stat": 4, "timeseries": 8, "table": 8}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the files are up to date")
    only_check: bool = parser.parse_args().check
    stale = [path for path, text in files().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if only_check:
            print(f"{path.relative_to(HERE.parent)} is not up to date", file=sys.stderr)  # noqa: T201
        else:
            path.write_text(files()[path], encoding="utf-8")
    return 1 if stale and only_check else 0


def files() -> dict[Path, str]:
    """Path → what it should hold."""
    boards = {BOARD_FOLDER / f"{board.uid.removeprefix('aro-')}.json": board for board in BOARDS}
    made = {path: json.dumps(_board(board), indent=1, ensure_ascii=False) + "\n" for path, board in boards.items()}
    return {**made, OPERATOR_RULES: operator_rules()}


def operator_rules() -> str:
    """The rules as one PrometheusRule; their text is taken over as it stands, comments included."""
    groups = [path.read_text(encoding="utf-8").partition("\ngroups:\n")[2] for path in RULES]
    head = [
        "# Made by observability/generate.py from observability/prometheus/rules; do not edit.",
        "apiVersion: monitoring.coreos.com/v1",
        "kind: PrometheusRule",
        "metadata:",
        "  name: option-aro",
        "spec:",
        "  groups:",
    ]
    lines = [f"  {line}".rstrip() for text in groups for line in text.splitlines()]
    return "\n".join([*head, *lines]) + "\n"


def _board(board: Board) -> dict[str, Any]:
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": ["option-aro"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_variable(name, query) for name, query in board.variables.items()]},
        "links": [{"type": "dashboards", "title": "Option ARO", "tags": ["option-aro"], "keepTime": True}],
        "panels": list(_panels(board.rows)),
    }


def _variable(name: str, query: str) -> dict[str, Any]:
    # A label of one kind of process: all of them at first. A service: one.
    several = name == "instance"
    return {
        "name": name,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
        "current": {"text": "All", "value": "$__all"} if several else {"text": "api-gateway", "value": "api-gateway"},
    }


def _panels(rows: tuple[Row, ...]) -> Iterator[dict[str, Any]]:
    """Rows from top to bottom; a collapsed one keeps its panels inside, so that they ask nothing until it is opened."""
    number, top = 0, 0
    for row in rows:
        number += 1
        heading = {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": row.collapsed,
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
            "panels": [],
        }
        top += 1
        inside: list[dict[str, Any]] = []
        left = height = 0
        for panel in row.panels:
            number += 1
            if left + WIDTHS[panel.kind] > COLUMNS:
                left, top = 0, top + height
            height = HEIGHTS[panel.kind]
            inside.append(_panel(number, panel, left, top))
            left += WIDTHS[panel.kind]
        top += height
        if row.collapsed:
            heading["panels"] = inside
            yield heading
        else:
            yield heading
            yield from inside


def _panel(number: int, panel: Panel, left: int, top: int) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.warn is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.warn}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    targets = [
        {
            "refId": chr(ord("A") + place),
            "datasource": DATASOURCE,
            "expr": expression,
            "legendFormat": legend,
            **({"instant": True, "format": "table"} if panel.kind == "table" else {}),
        }
        for place, (expression, legend) in enumerate(panel.series.items())
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": DATASOURCE,
        "gridPos": {"x": left, "y": top, "w": WIDTHS[panel.kind], "h": HEIGHTS[panel.kind]},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": targets,
    }


if __name__ == "__main__":
    sys.exit(main())
