"""Role ``beat``. It loads no maths and no MongoDB: it only sends names of tasks."""

from aro.adapters.clock import SystemClock
from aro.runtime.health import Health
from aro.runtime.operations import serve_operations
from aro.runtime.vitals import reporter
from worker_enricher.probes import redis_check
from worker_enricher.schedule import create_app
from worker_enricher.settings import WorkerSettings
from worker_enricher.vitals import Vitals


def run(settings: WorkerSettings) -> None:
    """Sends what is periodic, and tells how Redis is; run one of it."""
    app = create_app(settings)
    health = Health(ready={"redis": redis_check(settings)})
    serve_operations("worker-enricher-beat", host=settings.host, port=settings.operations_port, health=health)
    Vitals(settings, SystemClock()).start()
    reporter(settings.redis_url, "worker-enricher-beat").start()
    app.Beat(loglevel=settings.log_level, quiet=True).run()
