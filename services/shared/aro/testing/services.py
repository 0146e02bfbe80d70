"""An HTTP service of the platform as its own process, started when it is ready."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import requests

from aro.adapters.embedded import LOOPBACK
from aro.testing.servers import Server, free_port


class HttpService(Server):
    """``python -m {module}`` with only the settings given here, whatever the environment of the tests says."""

    def __init__(self, module: str, directory: Path, settings: Mapping[str, str], *, wait_for: str = "/readyz") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.settings = dict(settings)
        self._wait_for = wait_for
        own = {name: value for name, value in os.environ.items() if not name.startswith("ARO_")}
        super().__init__(
            [sys.executable, "-m", module],
            directory / f"{module}.log",
            self._answers,
            environ={**own, "ARO_PORT": str(self.port), **settings},
        )

    def _answers(self) -> None:
        requests.get(f"{self.url}{self._wait_for}", timeout=2).raise_for_status()
