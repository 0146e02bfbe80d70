"""worker-enricher: roles ``consume``, ``work`` and ``beat`` from one package; `pipeline` is pure."""
