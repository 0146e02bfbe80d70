"""gunicorn inside a process of ours: it finishes what it began, logs one way, and leaves nothing behind."""

import json
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from aro.testing.eventually import eventually
from aro.testing.servers import Process, free_port

PROGRAM = """
import sys, time
from pathlib import Path
from flask import Response
from aro.runtime.health import Health
from aro.runtime.logs import configure_logs
from aro.runtime.web import create_app, json_response, public
from aro.runtime.wsgi import serve

def create():
    app = create_app("slow", health=Health(), verifier=None)

    @app.get("/slow")
    @public
    def slow() -> Response:
        Path("begun").touch()
        while not Path("finish").exists():
            time.sleep(0.01)
        return json_response({"done": True})

    return app

configure_logs("slow")
serve(create, host="127.0.0.1", port=int(sys.argv[1]))
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Process, str]]:
    port = free_port()
    environ = {"HOME": str(tmp_path), "PATH": ""}
    process = Process([sys.executable, "-c", PROGRAM, str(port)], tmp_path / "log", environ=environ, cwd=tmp_path)
    process.start()
    url = f"http://127.0.0.1:{port}"

    def is_up() -> bool:
        try:
            return requests.get(f"{url}/livez", timeout=1).ok
        except requests.ConnectionError:
            return False

    eventually(is_up, "the server", interval=0.1)
    yield process, url
    process.kill()


def test_what_was_begun_is_finished_after_sigterm(served: tuple[Process, str], tmp_path: Path) -> None:
    process, url = served
    answers: list[requests.Response] = []
    asking = threading.Thread(target=lambda: answers.append(requests.get(f"{url}/slow", timeout=15)))
    asking.start()
    eventually(lambda: (tmp_path / "begun").exists(), "the request to begin")
    process.signal(signal.SIGTERM)
    eventually(lambda: "Handling signal: term" in process.output(), "the signal to be seen")
    (tmp_path / "finish").touch()
    asking.join()
    assert [answer.json() for answer in answers] == [{"done": True}]
    assert process.stop() == 0
    # Every line is ours, the server's own words included, and nothing was left in the home directory.
    lines = [json.loads(line) for line in process.output().splitlines()]
    assert {line["service.name"] for line in lines} == {"slow"}
    assert [line["http.route"] for line in lines if line["message"] == "request"] == ["/slow"]
    assert {path.name for path in tmp_path.iterdir()} == {"log", "begun", "finish"}
