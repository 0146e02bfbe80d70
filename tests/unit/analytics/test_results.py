"""Equal questions cost one computation, and heavy ones leave threads for others."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from analytics_service.results import OVERHEAD_BYTES, Gate, Result, Results
from aro.contracts.problems import NotFound, ServiceUnavailable


def result(size: int = 10) -> Result:
    return Result(b"x" * size, "application/json", "etag", 1)


def test_a_thousand_equal_questions_cost_one():
    results, computed, release = Results(max_bytes=1 << 20), [], threading.Event()

    def compute():
        computed.append(threading.get_ident())
        release.wait(5)
        return result()

    with ThreadPoolExecutor(32) as pool:
        futures = [pool.submit(results.get, "question", seconds=60, compute=compute) for _ in range(1_000)]
        release.set()
        answers = [future.result(10) for future in futures]
    assert len(computed) == 1
    assert all(answer is answers[0] for answer in answers)


def test_other_questions_do_not_wait():
    results, release = Results(max_bytes=1 << 20), threading.Event()

    def slow():
        release.wait(5)
        return result()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(results.get, "slow", seconds=60, compute=slow)
        assert results.get("other", seconds=60, compute=result).etag == "etag"
        release.set()
        waiting.result(5)


def test_what_failed_is_not_kept_and_everybody_learns_why():
    results, entered, release = Results(max_bytes=1 << 20), threading.Event(), threading.Event()

    def fail():
        entered.set()
        release.wait(5)
        raise NotFound("nothing there")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(results.get, "q", seconds=60, compute=fail)
        assert entered.wait(5)
        second = pool.submit(results.get, "q", seconds=60, compute=fail)
        release.set()
        for future in (first, second):
            with pytest.raises(NotFound):
                future.result(5)
    assert results.find("q") is None
    assert results.get("q", seconds=60, compute=result).etag == "etag"


def test_a_result_ends_with_its_time():
    now = [0.0]
    results = Results(max_bytes=1 << 20, monotonic=lambda: now[0])
    results.get("q", seconds=2, compute=result)
    now[0] = 1.9
    assert results.find("q") is not None
    now[0] = 2.0
    assert results.find("q") is None


def test_memory_is_bounded_and_the_least_used_leaves():
    room = 10 * (OVERHEAD_BYTES + 1_000)
    results = Results(max_bytes=room)
    for number in range(10):
        results.get(number, seconds=60, compute=lambda: result(1_000))
    assert results.find(0) is not None
    results.get(10, seconds=60, compute=lambda: result(1_000))
    assert results.find(1) is None
    assert results.find(0) is not None
    results.get("huge", seconds=60, compute=lambda: result(room))
    assert results.find("huge") is None


def test_heavy_questions_leave_threads():
    gate = Gate(at_once=1, present=2, patience=5)
    inside, release, leave = threading.Event(), threading.Event(), threading.Event()

    def heavy():
        with gate.presence(), gate.turn():
            inside.set()
            release.wait(5)

    def waits():
        with gate.presence():
            leave.set()
            with gate.turn():
                pass

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(heavy), None
        assert inside.wait(5)
        second = pool.submit(waits)
        assert leave.wait(5)
        with pytest.raises(ServiceUnavailable, match="heavy"), gate.presence():
            pass
        release.set()
        first.result(5)
        second.result(5)
    with gate.presence(), gate.turn():
        pass


def test_patience_ends():
    gate = Gate(at_once=1, present=2, patience=0.01)
    with gate.turn(), pytest.raises(ServiceUnavailable), gate.turn():
        pass
