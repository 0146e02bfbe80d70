"""Start and end of the process."""

import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from aro.testing.door import Door
from aro.testing.eventually import eventually
from aro.testing.servers import Process, RedisServer


def test_it_ends_in_order_and_open_tails_do_not_hold_it_up(tmp_path: Path, redis_server: RedisServer) -> None:
    door = Door(tmp_path, redis_server)
    door.start()
    try:
        admin = door.bearer("admin", "admin", session=f"watching-{tmp_path.name}")
        tail = requests.get(f"{door.url}/api/v1/logs/tail?events=1", headers=admin, stream=True, timeout=5)
        assert tail.status_code == 200
        answers: list[requests.Response] = []
        asking = threading.Thread(target=lambda: answers.append(door.get("/api/v1/products?sleep=2")))
        asking.start()
        eventually(lambda: door.upstreams["storage"].requests("/api/v1/products"), "the request to be under way")
        started = time.monotonic()
        assert door.process.stop() == 0
        assert time.monotonic() - started < 8
        asking.join()
        tail.close()
        # What was begun is finished.
        assert [answer.status_code for answer in answers] == [200]
    finally:
        door.stop()


def test_it_refuses_to_start_without_its_settings(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "api_gateway"]
    process = Process(command, tmp_path / "log", environ={"ARO_AUTH_URL": "nowhere"})
    process.start()
    eventually(lambda: not process.is_running, "it to give up")
    said = process.output()
    assert "api-gateway cannot start" in said
    assert "ARO_STORAGE_URL is missing" in said
    assert "Traceback" not in said


def test_it_waits_for_the_keys_of_auth_and_no_one_else(tmp_path: Path, redis_server: RedisServer) -> None:
    door = Door(tmp_path, redis_server)
    door.start()
    try:
        for name in ("storage", "analytics", "logging"):
            door.upstreams[name].kill()
        door.process.kill()
        door.process.start()  # it is ready
        door.process.kill()
        door.upstreams["auth"].kill()
        Process.start(door.process)
        url = f"{door.url}/readyz"

        def answers(status: int) -> bool:
            try:
                return requests.get(url, timeout=5).status_code == status
            except requests.ConnectionError:
                return False

        eventually(lambda: answers(503), "it to be there and not ready")
        door.upstreams["auth"].start()
        eventually(lambda: answers(200), "it to be ready", seconds=5)
    finally:
        door.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(door.url, timeout=1)
