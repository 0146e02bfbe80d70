"""The import law: floors import down only, and services meet over names, never over imports."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SERVICES: Final = ROOT / "services"
SHARED: Final = SERVICES / "shared" / "aro"

OURS: Final = "aro"
TESTING: Final = "aro.testing"

# What each floor of `aro` may import of `aro`, and of other people's packages.
FLOORS: Final = {
    "aro.contracts": {"aro.contracts"},
    "aro.quant": {"aro.contracts", "aro.quant"},
    "aro.adapters": {"aro.contracts", "aro.adapters"},
    "aro.runtime": {"aro.contracts", "aro.adapters", "aro.runtime"},
    "aro.testing": {"aro.contracts", "aro.quant", "aro.adapters", "aro.runtime", "aro.testing"},
}
SERVICE_MAY_IMPORT: Final = {"aro.contracts", "aro.quant", "aro.adapters", "aro.runtime"}
DRIVERS: Final = {
    "redis",
    "pymongo",
    "bson",
    "isal",
    "backports",
    "requests",
    "jwt",
    "cryptography",
    "argon2",
    "msgspec",
}
FRAMEWORKS: Final = {
    *{"flask", "werkzeug", "flask_smorest", "apispec", "marshmallow", "webargs", "gunicorn"},
    *{"celery", "kombu", "billiard", "structlog", "prometheus_client", "msgspec", "opentelemetry"},
}
PACKAGES: Final = {
    "aro.contracts": {"msgspec"},
    "aro.quant": {"numpy", "scipy"},
    "aro.adapters": DRIVERS,
    "aro.runtime": FRAMEWORKS,
}
PROCESSES: Final = {"aro.adapters.embedded_mongo": {"secantus"}}
"""Modules that are started and never imported, and the program that each of them is the frame of."""


@dataclass(frozen=True, slots=True)
class Import:
    line: int
    module: str


def module_name(path: Path) -> str:
    """Dotted name of a file under services/."""
    parts = path.relative_to(SERVICES).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def service_packages() -> dict[str, Path]:
    """Import name → service folder."""
    found = sorted(SERVICES.glob("*/*/__init__.py"))
    return {path.parent.name: path.parents[1] for path in found if path.parent.name != OURS}


def source_files() -> list[Path]:
    """Every module of `aro` and of the services."""
    folders = [SHARED, *(folder / package for package, folder in service_packages().items())]
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def imports(name: str, source: str, *, is_package: bool = False, at_run: bool = False) -> Iterator[Import]:
    """Every import of module `name`, relative ones resolved, also those inside functions.

    Those under TYPE_CHECKING belong to the law too, but not to what a process loads: `at_run` leaves them out.
    """
    for node in _walk(ast.parse(source), skip_typing=at_run):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(name, node, is_package=is_package)
            # "from aro import quant" imports the floor, not only the package above it.
            yield from (Import(node.lineno, f"{base}.{alias.name}" if base == OURS else base) for alias in node.names)
        elif isinstance(node, ast.Call) and _is_dynamic_import(node):
            yield Import(node.lineno, _literal(node))


def violations(name: str, source: str, services: set[str], *, is_package: bool = False) -> list[str]:
    """What module `name` imports against the law, one sentence each."""
    found = [
        f"{name}:{item.line} imports {item.module}: {fault}"
        for item in imports(name, source, is_package=is_package)
        if (fault := _fault(name, item.module, services))
    ]
    return list(dict.fromkeys(found))


def floor(module: str) -> str:
    """``aro.quant`` of ``aro.quant.black``; the package of a service module."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == OURS else parts[0]


def _fault(name: str, imported: str, services: set[str]) -> str:
    here, there = floor(name), floor(imported)
    top = there.split(".")[0]
    if imported in PROCESSES:
        return "it is a process of its own"
    if top in PROCESSES.get(name, ()):
        return ""
    if top == OURS:
        allowed = FLOORS.get(here, SERVICE_MAY_IMPORT if here in services else set())
        return "" if there in allowed or there == OURS else _reason(here, there)
    if top in services:
        return "" if top == here else "services meet over HTTP and Redis, never over imports"
    if top in sys.stdlib_module_names or here not in PACKAGES:
        return ""
    return "" if top in PACKAGES[here] else f"{here} has no use for that package"


def _reason(here: str, there: str) -> str:
    return "only tests may" if there == TESTING else f"{here} stands below or beside it"


def _walk(node: ast.AST, *, skip_typing: bool) -> Iterator[ast.AST]:
    yield node
    children = list(ast.iter_child_nodes(node))
    if skip_typing and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        children = list(node.orelse)
    for child in children:
        yield from _walk(child, skip_typing=skip_typing)


def _absolute(name: str, node: ast.ImportFrom, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    base = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*base, *([node.module] if node.module else [])])


def _is_dynamic_import(node: ast.Call) -> bool:
    function = node.func
    named = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return named in ("import_module", "__import__") and bool(_literal(node))


def _literal(node: ast.Call) -> str:
    first = node.args[0] if node.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
