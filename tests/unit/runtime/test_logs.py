"""Log lines of a real process: logging is configured once per process, so not in this one."""

import json
import subprocess
import sys
from typing import Any

PROGRAM = """
import logging
import structlog
from aro.runtime.logs import bind_request_id, configure_logs, get_logger

configure_logs("a-service", level="INFO")
log = get_logger("here")
log.debug("unheard")
log.info("plain", count=3, price=float("nan"))
log.info("secrets", password="hunter2", access_token="hunter2", Authorization="hunter2", set_cookie="hunter2")
bind_request_id("request-1")
log.warning("bound")
logging.getLogger("a.library").warning("from %s", "outside")
try:
    raise ValueError("why\\nit broke")
except ValueError:
    log.exception("failed")
bind_request_id("request-2")
log.info("next", **{"event.action": "an_action"})
log.info("line\\nbreak \\u2028 and \\x1b[31mcolour")
"""


def lines() -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_event_is_one_line_of_json_with_ecs_names() -> None:
    by_message = {line["message"]: line for line in lines()}
    assert "unheard" not in by_message
    plain = by_message["plain"]
    assert plain["log.level"] == "info"
    assert plain["service.name"] == "a-service"
    assert plain["count"] == 3
    assert plain["@timestamp"].endswith("Z")
    assert "trace.id" not in plain
    assert by_message["bound"]["trace.id"] == "request-1"
    assert by_message["next"]["trace.id"] == "request-2"
    assert by_message["next"]["event.action"] == "an_action"


def test_libraries_log_through_the_same_door() -> None:
    [outside] = [line for line in lines() if line["message"] == "from outside"]
    assert (outside["log.level"], outside["service.name"], outside["trace.id"]) == ("warning", "a-service", "request-1")


def test_secrets_are_not_written() -> None:
    [secrets] = [line for line in lines() if line["message"] == "secrets"]
    assert "hunter2" not in json.dumps(secrets)
    assert secrets["password"] == secrets["access_token"] == "***"


def test_a_traceback_stays_on_its_line() -> None:
    [failed] = [line for line in lines() if line["message"] == "failed"]
    assert "ValueError: why" in failed["error.stack_trace"]
    assert (failed["error.type"], failed["error.message"]) == ("ValueError", "why\nit broke")
    assert failed["log.level"] == "error"
