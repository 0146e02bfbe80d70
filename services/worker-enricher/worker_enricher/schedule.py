"""What beat sends and how often, for a process that sends tasks by name and runs none."""

from typing import Final

from celery import Celery

from aro.contracts.names import (
    QUEUE_PERIODIC,
    TASK_BARS,
    TASK_CATCH_UP,
    TASK_IV_HISTORY,
    TASK_STATUS,
    TASK_SURFACE,
)
from aro.runtime.celery_app import create_celery
from worker_enricher.settings import WorkerSettings
from worker_enricher.task_times import stamp_tasks

SCHEDULE: Final = {
    TASK_STATUS: 1.0,
    TASK_CATCH_UP: 1.0,
    TASK_SURFACE: 0.7,
    TASK_BARS: 1.0,
    TASK_IV_HISTORY: 3.0,
}
"""Seconds between sends. Chains wait behind each of these tasks, so they are short and come often; none does the same
again before it is due."""

MOST_SECONDS_LATE: Final = 4.0
"""A task that waited longer is dropped, for those behind it do the same."""


def create_app(settings: WorkerSettings) -> Celery:
    app = create_celery("worker_enricher", broker_url=settings.broker_url)
    app.conf.beat_scheduler = "celery.beat:Scheduler"  # the schedule is all in here; nothing to keep on disk
    app.conf.beat_schedule = {
        task: {"task": task, "schedule": seconds, "options": {"queue": QUEUE_PERIODIC, "expires": MOST_SECONDS_LATE}}
        for task, seconds in SCHEDULE.items()
    }
    stamp_tasks()
    return app
