"""Every image can run: what a service reaches by imports is in its hashed requirements, under one set of versions."""

import importlib.metadata
import sys

import lock
import pytest
from import_law import OURS, ROOT, SERVICES, imports, module_name, service_packages, source_files

SOURCES = {module_name(path): path for path in source_files()}
DISTRIBUTIONS = importlib.metadata.packages_distributions()


def test_locks_are_up_to_date():
    assert lock.faults(ROOT) == []


@pytest.mark.parametrize("package", sorted(service_packages()))
def test_requirements_cover_everything_that_is_imported(package):
    text = (service_packages()[package] / "requirements.txt").read_text(encoding="utf-8")
    pinned = set(lock.pins(text))
    reached = third_party(package)
    assert {name for name in reached if not _distributions(name) & pinned} == set()


def test_auth_carries_no_maths():
    assert not {"numpy", "scipy", "celery"} & set(lock.pins((SERVICES / "auth/requirements.txt").read_text()))


def third_party(package):
    """Top-level names of other people's packages that `package` imports, itself or through `aro`."""
    pending = [name for name in SOURCES if name.split(".")[0] == package]
    seen, found = set(pending), set()
    while pending:
        name = pending.pop()
        path = SOURCES[name]
        for item in imports(name, path.read_text(encoding="utf-8"), is_package=path.name == "__init__.py"):
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
