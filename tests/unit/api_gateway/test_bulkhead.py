"""What waits for one upstream never takes more than its share of threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

from api_gateway.bulkhead import Bulkhead
from aro.testing.eventually import eventually


def test_slots_then_queue_then_refusal() -> None:
    bulkhead = Bulkhead(2, queue=1, wait_seconds=10)
    assert bulkhead.enter()
    assert bulkhead.enter()
    entered = threading.Event()
    waiting = threading.Thread(target=lambda: (bulkhead.enter(), entered.set()))
    waiting.start()
    eventually(lambda: not bulkhead._places.acquire(blocking=False), "one to wait", interval=0.005)
    assert not bulkhead.enter()
    bulkhead.leave()
    assert entered.wait(5)
    waiting.join()


def test_without_a_queue_it_refuses_at_once() -> None:
    bulkhead = Bulkhead(1)
    assert bulkhead.enter()
    assert not bulkhead.enter()
    bulkhead.leave()
    assert bulkhead.enter()


def test_whoever_waits_in_vain_gives_its_place_back() -> None:
    bulkhead = Bulkhead(1, queue=1, wait_seconds=0.01)
    assert bulkhead.enter()
    for _ in range(3):
        assert not bulkhead.enter()
    bulkhead.leave()
    assert bulkhead.enter()


def test_never_more_inside_than_slots() -> None:
    slots = 3
    bulkhead = Bulkhead(slots, queue=50, wait_seconds=10)
    lock, inside, most = threading.Lock(), 0, 0

    def visit(_: int) -> bool:
        nonlocal inside, most
        if not bulkhead.enter():
            return False
        with lock:
            inside += 1
            most = max(most, inside)
        with lock:
            inside -= 1
        bulkhead.leave()
        return True

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(visit, range(500)))
    assert most <= slots
