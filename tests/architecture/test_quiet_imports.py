"""Importing a module opens no connection, starts no thread and reads no environment of ours."""

import subprocess
import sys

import pytest
from import_law import OURS, SERVICES, TESTING, module_name, service_packages, source_files

# Their import is the start of a process (`__main__`), or may only happen under eventlet's patch.
STARTS = ("__main__", "boot")
PROBE = """
import importlib, os, socket, sys, threading, warnings

def refuse(*arguments, **options):
    raise AssertionError("a module connects or starts a thread when it is imported")

socket.socket.connect = socket.create_connection = threading.Thread.start = refuse
real = os.environ.__class__.__getitem__

def watched(self, key):
    if str(key).startswith("ARO_"):
        raise AssertionError(f"a module reads {key} when it is imported")
    return real(self, key)

os.environ.__class__.__getitem__ = watched
warnings.simplefilter("ignore")
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@pytest.mark.parametrize("package", [OURS, *sorted(service_packages())])
def test_importing_every_module_does_nothing(package):
    modules = [module_name(path) for path in source_files()]
    chosen = [
        name
        for name in modules
        if name.split(".")[0] == package and not name.endswith(STARTS) and not name.startswith(TESTING)
    ]
    assert chosen
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *chosen], cwd=SERVICES, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
