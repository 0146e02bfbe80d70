"""Health: cheap, cached, and honest."""

import threading

import pytest

from aro.contracts.problems import ServiceUnavailable
from aro.runtime.health import Health


class Dependency:
    def __init__(self) -> None:
        self.asked = 0
        self.away = False
        self.answer = threading.Event()
        self.answer.set()
        self.entered = threading.Event()

    def check(self) -> None:
        self.asked += 1
        self.entered.set()
        self.answer.wait(10)
        if self.away:
            raise ConnectionRefusedError("mongodb://user:secret@host")


def test_readiness_names_what_is_away_and_tells_no_more() -> None:
    dependency = Dependency()
    dependency.away = True
    assert Health(ready={"mongo": dependency.check}).readiness() == (False, {"mongo": "ConnectionRefusedError"})


def test_liveness_asks_no_dependency() -> None:
    dependency = Dependency()
    dependency.away = True
    assert Health(ready={"mongo": dependency.check}).liveness() == (True, {})
    assert dependency.asked == 0


def test_a_second_of_probes_is_one_question() -> None:
    dependency = Dependency()
    health = Health(ready={"mongo": dependency.check})
    for _ in range(100):
        health.require_ready()
    assert dependency.asked == 1


def test_a_draining_process_is_not_ready() -> None:
    health = Health()
    assert health.readiness()[0]
    health.draining = True
    assert not health.readiness()[0]
    with pytest.raises(ServiceUnavailable):
        health.require_ready()


def test_while_a_slow_check_runs_everybody_else_gets_the_answer_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aro.runtime.health.CACHE_SECONDS", -1.0)
    dependency = Dependency()
    health = Health(ready={"mongo": dependency.check})
    assert health.readiness()[0]
    dependency.answer.clear()
    dependency.entered.clear()
    dependency.away = True
    slow = threading.Thread(target=health.readiness)
    slow.start()
    try:
        assert dependency.entered.wait(5)
        assert health.readiness() == (True, {"mongo": "ok"})
    finally:
        dependency.answer.set()
        slow.join()
    assert health.readiness() == (False, {"mongo": "ConnectionRefusedError"})
