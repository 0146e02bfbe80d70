"""How long tasks wait and run: the sender stamps each, the child that runs it measures."""

import time
from typing import Any, Final

from celery import signals, states

from aro.adapters.clock import SystemClock
from worker_enricher import metrics

SENT: Final = "sent_ts"
"""Header with the UTC epoch milliseconds at which a task was sent."""

_started: dict[str, float] = {}
_clock = SystemClock()


def stamp_tasks() -> None:
    """From now on every task that this process sends carries `SENT`."""
    signals.before_task_publish.connect(_stamp, weak=False)


def observe_tasks() -> None:
    """From now on children of this process measure what they run."""
    signals.task_prerun.connect(_begin, weak=False)
    signals.task_postrun.connect(_end, weak=False)


def _stamp(headers: dict[str, Any], **_: Any) -> None:
    headers[SENT] = _clock.now_ms()


def _begin(task_id: str, task: Any, **_: Any) -> None:
    _started[task_id] = time.perf_counter()
    sent_ts = task.request.get(SENT)
    if sent_ts is not None:
        metrics.task_wait.labels(task.name).observe(max(0, _clock.now_ms() - sent_ts) / 1000)


def _end(task_id: str, task: Any, state: str | None = None, **_: Any) -> None:
    started = _started.pop(task_id, None)
    if started is not None:
        outcome = "ok" if state == states.SUCCESS else "failed"
        metrics.task_duration.labels(task.name, outcome).observe(time.perf_counter() - started)
