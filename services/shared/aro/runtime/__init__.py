"""Floor 2b, the frame of a process: settings, logs, metrics, web app, Celery app."""
