"""A real supervisord with small programs in the places of ours: start, health, restart, stop, orphans."""

import os
import signal
import sys

import pytest
from local import health, processes, stopping, supervision
from local.home import Home
from local.programs import Program
from local.supervision import Supervisor, SupervisorError

from aro.testing.eventually import eventually
from aro.testing.servers import free_port

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = sys.argv[2] == "ready"
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(b'{"checks": {"mongo": "AutoReconnect", "redis": "ok"}}')
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
CHILD = """
import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("child", child.pid, flush=True)
time.sleep(600)
"""
CRASH = "import sys; print('the key is missing'); sys.exit(2)"


@pytest.fixture
def program(tmp_path):
    def make(name, code, *arguments):
        port = free_port()
        script = tmp_path / f"{name}-{port}.py"
        script.write_text(code)
        return Program(name, (sys.executable, str(script), str(port), *arguments), "http", port, "ARO_X_PORT")

    return make


@pytest.fixture
def home(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("p") / "h")
    home.prepare()
    yield home
    stopping.stop(home)


def start(home, *plan):
    supervision.write_configuration(home, plan, "secret")
    supervision.start(home, {"ARO_TEST_WORD": "handed-down"})


def test_start_health_and_stop_leave_nothing(home, program):
    plan = [program("auth", SERVER, "ready"), program("feed", SERVER, "ready")]
    start(home, *plan)
    health.wait(home, plan, "", seconds=20)
    reports = health.reports(home, plan, "")
    assert all(report.is_healthy and report.state in ("RUNNING", "STARTING") for report in reports)
    assert {process.name for process in processes.of_platform(home)} == {"supervisord", "auth", "feed"}
    ended = stopping.stop(home)
    assert (ended.supervised, ended.orphans) == (2, 0)
    assert processes.of_platform(home) == []
    assert stopping.busy_ports(plan) == []
    assert not list(home.run.glob("*.pid"))


def test_stopping_twice_is_harmless(home):
    assert stopping.stop(home).total == 0
    assert stopping.stop(home).total == 0


def test_killed_process_comes_back_with_a_new_note(home, program):
    plan = [program("auth", SERVER, "ready")]
    start(home, *plan)
    health.wait(home, plan, "", seconds=20)
    first = processes.noted(home)
    pid = next(process.pid for process in first if process.name == "auth")
    eventually(lambda: Supervisor(home).states()["auth"]["statename"] == "RUNNING", "supervisor to trust it")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: {p.pid for p in processes.noted(home) if p.name == "auth"} - {pid}, "a new process")
    health.wait(home, plan, "", seconds=20)


def test_orphans_of_a_killed_supervisor_are_ended_with_their_children(home, program):
    plan = [program("auth", SERVER, "ready"), program("work", CHILD)]
    start(home, *plan)
    health.wait(home, plan[:1], "", seconds=20)
    eventually(lambda: "child" in home.log("work").read_text(), "the worker's child")
    child = int(home.log("work").read_text().split()[1])
    daemon = next(process for process in processes.noted(home) if process.name == "supervisord")
    os.kill(daemon.pid, signal.SIGKILL)
    eventually(lambda: not processes.is_running(daemon), "supervisord to be gone")
    assert child in {process.pid for process in processes.of_platform(home)}
    stopping.ORPHAN_SECONDS, before = 1.0, stopping.ORPHAN_SECONDS
    try:
        ended = stopping.stop(home)
    finally:
        stopping.ORPHAN_SECONDS = before
    assert (ended.supervised, ended.orphans) == (0, 3)
    assert processes.birth(child) is None
    assert stopping.busy_ports(plan) == []


def test_a_stranger_with_a_noted_pid_is_left_alone(home):
    home.pid_file("auth").write_text(f"{os.getpid()} 1\n")
    assert stopping.stop(home).total == 0


def test_program_that_is_not_ready_says_which_check_fails(home, program):
    plan = [program("auth", SERVER, "failing")]
    start(home, *plan)
    eventually(lambda: health.reports(home, plan, "")[0].fault == "mongo: AutoReconnect", "an answer")
    with pytest.raises(health.Unhealthy, match="auth is not healthy after 1 s: mongo: AutoReconnect"):
        health.wait(home, plan, "", seconds=1)


def test_program_that_ends_again_and_again_is_given_up_with_its_log(home, program):
    plan = [program("auth", CRASH)]
    start(home, *plan)
    with pytest.raises(health.Unhealthy, match=r"auth ends again and again\n.*auth.log:\n  the key is missing"):
        health.wait(home, plan, "", seconds=60)


def test_one_program_is_replaced_by_its_new_description(home, program):
    plan = [program("auth", SERVER, "ready"), program("feed", SERVER, "ready")]
    start(home, *plan)
    health.wait(home, plan, "", seconds=20)
    before = {process.name: process.pid for process in processes.noted(home)}
    changed = [plan[0], program("feed", SERVER, "ready", "other")]
    supervision.write_configuration(home, changed, "secret")
    stopping.stop_one(Supervisor(home), "feed")
    Supervisor(home).replace("feed")
    health.wait(home, changed, "", seconds=20)
    after = {process.name: process.pid for process in processes.noted(home)}
    assert after["feed"] != before["feed"]
    assert {name: pid for name, pid in after.items() if name != "feed"} == {
        name: pid for name, pid in before.items() if name != "feed"
    }


def test_environment_reaches_programs_and_our_python_path_does_not(home, program, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    code = "import os; print(os.environ.get('ARO_TEST_WORD'), os.environ.get('PYTHONPATH'), flush=True); " + SERVER
    plan = [program("auth", code, "ready")]
    start(home, *plan)
    health.wait(home, plan, "", seconds=20)
    assert home.log("auth").read_text().split() == ["handed-down", "None"]


def test_bad_configuration_is_told_in_one_line(home):
    home.configuration.write_text("[supervisord]\nlogfile_maxbytes = many\n")
    with pytest.raises(SupervisorError, match=r"does not start: .*many"):
        supervision.start(home, {})
