"""Work before readiness: repeated until its server is there."""

import threading

import pytest

from aro.runtime import preparation
from aro.runtime.preparation import NotPrepared, Preparation
from aro.testing.eventually import eventually


def test_it_is_tried_until_it_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "RETRY_SECONDS", 0.01)
    tries: list[int] = []
    open_door = threading.Event()

    def work() -> None:
        tries.append(1)
        if not open_door.is_set():
            raise ConnectionError

    prepared = Preparation(work, retry_on=ConnectionError)
    with pytest.raises(NotPrepared):
        prepared.check()
    prepared.start()
    eventually(lambda: len(tries) > 3, "several tries")
    with pytest.raises(NotPrepared):
        prepared.check()
    open_door.set()

    def is_done() -> bool:
        try:
            prepared.check()
        except NotPrepared:
            return False
        return True

    eventually(is_done, "the work to be done")
    done = len(tries)
    prepared.check()
    assert len(tries) == done
