"""Every image can run: what a service reaches by imports is in its hashed requirements, under one set of versions."""

import importlib.metadata
import os
import subprocess
import sys

import lock
import pytest
from import_law import OURS, ROOT, SERVICES, imports, module_name, service_packages, source_files

SOURCES = {module_name(path): path for path in source_files()}
DYNAMIC = {
    "worker_enricher": ["kombu.transport.redis", "celery.concurrency.prefork", "celery.apps.worker", "celery.beat"],
    "socket_gateway": ["engineio.async_drivers.eventlet", "eventlet.hubs.epolls"],
}
"""What frameworks import by name, and no import statement of ours shows."""
PROBE = """
import importlib, sys, warnings

missing = set(sys.argv[1].split(","))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
warnings.simplefilter("ignore")
for name in sys.argv[2:]:
    importlib.import_module(name)
"""
DISTRIBUTIONS = importlib.metadata.packages_distributions()


def test_locks_are_up_to_date():
    assert lock.faults(ROOT) == []


@pytest.mark.parametrize("package", sorted(service_packages()))
def test_requirements_cover_everything_that_is_imported(package):
    text = (service_packages()[package] / "requirements.txt").read_text(encoding="utf-8")
    pinned = set(lock.pins(text))
    reached = third_party(package)
    assert {name for name in reached if not _distributions(name) & pinned} == set()


@pytest.mark.parametrize("package", sorted(service_packages()))
def test_every_module_imports_with_nothing_else_installed(package):
    pinned = set(lock.pins((service_packages()[package] / "requirements.txt").read_text(encoding="utf-8")))
    ours = {OURS, *service_packages()}
    foreign = {top for top in DISTRIBUTIONS if top.isidentifier()} - ours - sys.stdlib_module_names
    absent = ",".join(sorted(top for top in foreign if not _distributions(top) & pinned))
    chosen = [name for name in SOURCES if name.split(".")[0] == package and not name.endswith(("__main__", "boot"))]
    result = subprocess.run(
        [sys.executable, "-c", PROBE, absent, *chosen, *DYNAMIC.get(package, [])],
        env={key: value for key, value in os.environ.items() if not key.startswith("ARO_")},
        cwd=SERVICES, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


def test_auth_carries_no_maths():
    assert not {"numpy", "scipy", "celery"} & set(lock.pins((SERVICES / "auth/requirements.txt").read_text()))


def third_party(package):
    """Top-level names of other people's packages that `package` imports, itself or through `aro`."""
    pending = [name for name in SOURCES if name.split(".")[0] == package]
    seen, found = set(pending), set()
    while pending:
        name = pending.pop()
        path = SOURCES[name]
        for item in imports(name, path.read_text(encoding="utf-8"), is_package=path.name == "__init__.py", at_run=True):
            top = item.module.split(".")[0]
            if top in (OURS, package):
                candidates = [item.module] if item.module in SOURCES else []
                pending += [module for module in candidates if module not in seen]
                seen.update(candidates)
            elif top not in sys.stdlib_module_names:
                found.add(top)
    return found


def _distributions(top):
    return {lock.canonical(name) for name in DISTRIBUTIONS.get(top, [top])}
