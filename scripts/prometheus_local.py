"""``python scripts/prometheus_local.py``: the configuration for a Prometheus beside the local platform.

It is observability/prometheus/prometheus.yml with the local platform's ports (ARO_API_PORT and so on, as for
start-local.sh) instead of the names of containers. Prints YAML:

  .venv/bin/python scripts/prometheus_local.py > /tmp/prometheus.yml && prometheus --config.file=/tmp/prometheus.yml
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from local.settings import LocalSettings

from aro.runtime.settings import SettingsError, load

PROMETHEUS: Final = Path(__file__).resolve().parents[1] / "observability" / "prometheus"
RULES: Final = tuple(sorted((PROMETHEUS / "rules").glob("*.yml")))


def configuration(targets: Mapping[str, str], rules: Sequence[Path] = RULES, *, interval: str = "5s") -> dict[str, Any]:
    """A Prometheus configuration: job → ``host:port``."""
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()
        ],
    }


def local_targets(settings: LocalSettings) -> dict[str, str]:
    """Jobs are named as in compose, so that rules and boards hold for both."""
    ports = {
        "api-gateway": settings.api_operations_port,
        "socket-gateway": settings.gateway_port,
        "auth": settings.auth_port,
        "storage": settings.storage_port,
        "analytics": settings.analytics_port,
        "logging-service": settings.logging_port,
        "feed-generator": settings.feed_port,
        "feed-replay": settings.replay_port,
        "worker-consume": settings.consume_port,
        "worker-enricher": settings.work_port,
        "worker-beat": settings.beat_port,
    }
    return {job: f"127.0.0.1:{port}" for job, port in ports.items()}


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    try:
        settings = load(LocalSettings, os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(configuration(local_targets(settings)), indent=1))  # JSON is YAML
    return 0


if __name__ == "__main__":
    sys.exit(main())
