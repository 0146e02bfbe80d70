"""The shared floors of Option ARO; imports go down only (``tests/architecture``)."""
