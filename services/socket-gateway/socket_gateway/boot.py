"""The one place that knows about eventlet. Nothing may be imported before its patch, hence imports in a function."""

import warnings


def boot() -> int:
    """Patch, then run the gateway until it is told to stop; the exit code."""
    with warnings.catch_warnings():
        # "Eventlet is deprecated": known, see .github/decisions/0001-eventlet.md.
        warnings.simplefilter("ignore")
        import eventlet
    eventlet.monkey_patch()

    from socket_gateway.process import run

    return run()
