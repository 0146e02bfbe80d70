"""Log lines of real processes of every kind on their way into a real Redis, also into one that is in trouble."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from aro.contracts.names import STREAM_LOGS
from aro.testing.eventually import eventually
from aro.testing.servers import Process, RedisServer, free_port

START = """
import logging, os, sys, threading, time
from aro.runtime.logs import configure_logs, get_logger
configure_logs("a-service", ship_to=sys.argv[1])
log = get_logger("here")
"""

PLAIN = f"""{START}
for number in range(3):
    log.info("plain", number=number)
try:
    raise ValueError("mongodb://root:hunter2@host/")
except ValueError:
    log.exception("failed")
"""

FORKS = f"""{START}
log.info("parent before")
time.sleep(0.5)
children = []
for child in range(5):
    log.info("at the fork", child=child)
    pid = os.fork()
    if pid == 0:
        for number in range(100):
            log.info("child", child=child, number=number)
        sys.exit(0)
    children.append(pid)
for pid in children:
    os.waitpid(pid, 0)
log.info("parent after")
"""

FORKS_WHILE_RESOLVING = f"""
import socket
{START}
resolving = threading.Event()
resolve = socket.getaddrinfo
def slowly(*arguments, **options):
    resolving.set()
    time.sleep(1.0)
    try:
        return resolve(*arguments, **options)
    finally:
        resolving.clear()
socket.getaddrinfo = slowly
log.info("the first line")
assert resolving.wait(10)
if os.fork() == 0:
    os._exit(3 if resolving.is_set() else 0)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""

EVENTLET = """
import sys, warnings
warnings.simplefilter("ignore")
import eventlet
eventlet.monkey_patch()
import threading, time
from aro.runtime.logs import configure_logs, get_logger
configure_logs("a-service", ship_to=sys.argv[1])
log = get_logger("here")
worst = 0.0
turns = 0
deadline = time.monotonic() + float(sys.argv[2])
def turn():
    global worst, turns
    while time.monotonic() < deadline:
        before = time.monotonic()
        time.sleep(0.01)
        turns += 1
        worst = max(worst, time.monotonic() - before)
timer = eventlet.spawn(turn)
for number in range(200):
    log.info("green", number=number)
    if number == 20:
        print("READY", flush=True)
    time.sleep(0.005)
timer.wait()
print(f"worst {worst:.3f} turns {turns} threads {threading.active_count()}", file=sys.stderr, flush=True)
"""

CELERY = f"""
import sys
from celery import Celery
from aro.runtime.celery_app import create_celery
{START}
app = create_celery("a-worker", broker_url=sys.argv[2])

@app.task(name="say", queue="enrich")
def say(number):
    log.info("task", number=number)

worker = app.Worker(queues=["enrich"], concurrency=2, loglevel="INFO", quiet=True, without_gossip=True,
                    without_mingle=True)
worker.start()
"""

GUNICORN = f"""{START}
from flask import Response
from aro.runtime.health import Health
from aro.runtime.web import create_app, json_response, public
from aro.runtime.wsgi import serve

def create():
    app = create_app("a-service", health=Health(), verifier=None)

    @app.get("/hello")
    @public
    def hello():
        return json_response({{"hello": True}})

    return app

serve(create, host="127.0.0.1", port=int(sys.argv[2]))
"""

STORM = f"""{START}
log.info("connected")
time.sleep(0.5)
print("READY", flush=True)
sys.stdin.readline()
import resource
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
slowest = 0.0
started = time.perf_counter()
for number in range(10_000):
    at = time.perf_counter()
    log.info("storm", number=number, pad="x" * 1_000)
    slowest = max(slowest, time.perf_counter() - at)
seconds = time.perf_counter() - started
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
ended = time.perf_counter()
import atexit
atexit.register(lambda: print(f"{{seconds:.2f}} {{slowest:.3f}} {{grown}}", file=sys.stderr, flush=True))
"""


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


def run(program: str, *arguments: str, seconds: float = 30) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=seconds, check=True
    )


def talking(program: str, url: str, out: Path) -> "subprocess.Popen[str]":
    """A process that takes orders on its stdin, and reports on its stderr."""
    command = [sys.executable, "-c", program, url]
    with out.open("wb") as sink:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sink, stderr=subprocess.PIPE, text=True)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def shipped(client: redis.Redis) -> list[dict[str, Any]]:
    return [json.loads(fields[b"l"]) for _, fields in client.xrange(STREAM_LOGS)]


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One of their own: services of other tests ship their lines to the one that all share."""
    server = RedisServer(Path(tmp_path_factory.mktemp("shipping")))
    server.start()
    yield server
    server.kill()


def test_what_is_on_stdout_arrives_byte_for_byte_and_is_flushed_at_exit(
    redis_server: RedisServer, redis_client: redis.Redis
) -> None:
    done = run(PLAIN, redis_server.url)
    arrived = [fields[b"l"].decode() for _, fields in redis_client.xrange(STREAM_LOGS)]
    assert arrived == done.stdout.splitlines()
    assert len(arrived) == 4
    failed = json.loads(arrived[-1])
    assert failed["error.type"] == "ValueError"
    assert "mongodb://***@host/" in failed["error.stack_trace"]
    assert "hunter2" not in "".join(arrived)


def test_children_of_a_fork_ship_their_own_lines_once(redis_server: RedisServer, redis_client: redis.Redis) -> None:
    done = run(FORKS, redis_server.url)
    said = lines(done.stdout)
    assert len(said) == 507
    arrived = shipped(redis_client)
    assert sorted(line["event.id"] for line in arrived) == sorted(line["event.id"] for line in said)
    assert len({line["event.id"] for line in arrived}) == 507


def test_no_child_is_forked_while_a_name_is_resolved(redis_server: RedisServer) -> None:
    # The C library's lock of that moment would stay locked in the child for ever: it could not even look up its user.
    run(FORKS_WHILE_RESOLVING, redis_server.url)


def test_under_eventlet_a_hung_redis_does_not_hold_up_the_loop(own_redis: RedisServer, tmp_path: Path) -> None:
    done = run(EVENTLET, own_redis.url, "1.5")
    assert len([line for line in shipped(own_redis.client()) if line["message"] == "green"]) == 200
    assert " threads " in done.stderr

    hung = Process([sys.executable, "-c", EVENTLET, own_redis.url, "3"], tmp_path / "hung.log")
    hung.start()
    eventually(lambda: "READY" in hung.output(), "the process to log")
    own_redis.signal(signal.SIGSTOP)
    try:
        eventually(lambda: "turns" in hung.output(), "the loop's own report", seconds=15)
    finally:
        own_redis.signal(signal.SIGCONT)
    worst = float(hung.output().split("worst ")[1].split()[0])
    hung.stop()
    # Each wait of Redis' client is a second; a loop that waited with it would show that.
    assert worst < 0.5


def test_prefork_children_of_celery_ship_until_their_end(
    redis_server: RedisServer, redis_client: redis.Redis, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", CELERY, redis_server.url, redis_server.broker_url]
    worker = Process(command, tmp_path / "worker.log")
    worker.start()
    try:
        sender = f"""
import sys
from aro.runtime.celery_app import create_celery
app = create_celery("a-sender", broker_url=sys.argv[1])
for number in range(50):
    app.send_task("say", args=[number], queue={"enrich"!r})
"""
        run(sender, redis_server.broker_url)
        eventually(lambda: worker.output().count('"message":"task"') == 50, "the tasks", seconds=20)
        # The last lines of a child are on their way when it ends.
        assert worker.stop() == 0
    finally:
        worker.kill()
    tasks = [line for line in shipped(redis_client) if line["message"] == "task"]
    assert sorted(line["number"] for line in tasks) == list(range(50))
    assert len({line["event.id"].partition("-")[0] for line in tasks}) == 2


def test_gunicorn_ships_from_master_and_worker(
    redis_server: RedisServer, redis_client: redis.Redis, tmp_path: Path
) -> None:
    port = free_port()
    server = Process([sys.executable, "-c", GUNICORN, redis_server.url, str(port)], tmp_path / "gunicorn.log")
    server.start()
    try:

        def asked() -> bool:
            try:
                return requests.get(f"http://127.0.0.1:{port}/hello", timeout=2).ok
            except requests.ConnectionError:
                return False

        eventually(asked, "an answer", interval=0.1)
        assert server.stop() == 0
    finally:
        server.kill()
    said = lines(server.output())
    arrived = shipped(redis_client)
    routes = [line["http.route"] for line in arrived if line["message"] == "request"]
    assert "/hello" in routes
    assert {line["event.id"] for line in arrived} <= {line["event.id"] for line in said}
    # Both processes have a say, and lose at most what they say after their exit handlers.
    assert len({line["event.id"].partition("-")[0] for line in arrived}) == 2
    assert len(said) - len(arrived) <= 2


@pytest.mark.parametrize("trouble", ["hung", "away", "full"])
def test_a_storm_is_not_held_up_by_a_redis_in_trouble(own_redis: RedisServer, tmp_path: Path, trouble: str) -> None:
    process = talking(STORM, own_redis.url, tmp_path / "out")
    try:
        eventually(lambda: "READY" in (tmp_path / "out").read_text(), "the process to be ready")
        if trouble == "hung":
            own_redis.signal(signal.SIGSTOP)
        elif trouble == "away":
            own_redis.kill()
        else:
            own_redis.client().config_set("maxmemory", 1)
        _, report = process.communicate("go\n", timeout=30)
    finally:
        process.kill()
        if trouble == "hung":
            own_redis.signal(signal.SIGCONT)
    seconds, slowest, grown_kb = (float(part) for part in report.split())
    said = lines((tmp_path / "out").read_text())
    assert sum(line["message"] == "storm" for line in said) == 10_000
    assert sum(line["message"] == "log shipping is interrupted" for line in said) <= 1
    assert slowest < 0.5, report
    assert seconds < 10, report
    # 10,000 lines are 12 MB; the queue holds 4 MB of them.
    assert grown_kb < 8_000, report


def test_shipping_goes_on_when_redis_is_back_and_drops_are_counted(own_redis: RedisServer, tmp_path: Path) -> None:
    program = f"""{START}
from prometheus_client import generate_latest
log.info("first")
while True:
    command = sys.stdin.readline().strip()
    if not command:
        break
    for number in range(int(command)):
        log.info("line", number=number, pad="x" * 2_000)
    print("DONE", command, flush=True)
for line in generate_latest().decode().splitlines():
    if line.startswith("log_"):
        print(line, file=sys.stderr)
"""
    process = talking(program, own_redis.url, tmp_path / "out")
    assert process.stdin is not None
    client = own_redis.client()
    try:
        eventually(lambda: client.xlen(STREAM_LOGS) == 1, "the first line")
        os.kill(own_redis.pid, signal.SIGSTOP)
        process.stdin.write("4000\n")
        process.stdin.flush()
        eventually(lambda: "DONE 4000" in (tmp_path / "out").read_text(), "the lines")
        os.kill(own_redis.pid, signal.SIGCONT)
        # Two thirds of 8 MB had no place; the newest are what is left, in their order.
        eventually(lambda: client.xlen(STREAM_LOGS) > 1_500, "what was kept", seconds=15)
        process.stdin.write("1\n")
        process.stdin.flush()
        eventually(lambda: shipped(client)[-1]["number"] == 0, "one more line")
        _, report = process.communicate(timeout=20)
    finally:
        process.kill()
        os.kill(own_redis.pid, signal.SIGCONT)
    numbers = [line["number"] for line in shipped(client) if line["message"] == "line"][:-1]
    assert numbers[-1] == 3_999
    counted = dict(line.split() for line in report.splitlines() if "_total" in line)
    assert float(counted["log_dropped_total"]) > 1_500
    distinct = len({line["event.id"] for line in shipped(client)})
    assert float(counted["log_dropped_total"]) + distinct == 4_002


def test_the_stream_is_bounded_in_bytes(redis_server: RedisServer, redis_client: redis.Redis) -> None:
    from aro.adapters import log_stream
    from aro.adapters.log_stream import LogStream

    stream = LogStream(redis_client)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_stream, "STREAM_LOGS_BYTES", 10_000_000)
        patch.setattr(log_stream, "MEASURE_SECONDS", 0.0)
        for _ in range(30):
            stream.append([b"x" * 8_000] * 100)
    size = redis_client.memory_usage(STREAM_LOGS)
    assert size is not None
    assert 8_000_000 < size < 13_000_000
