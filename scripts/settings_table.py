"""Write the settings of every process from their classes: .env.example, one per service, and tables for people.

Every variable that exists stands there with its meaning, and no other.
"""

import argparse
import dataclasses
import importlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
EXAMPLE: Final = ROOT / ".env.example"
TABLES: Final = ROOT / "services" / "README.md"
LOCAL: Final = "local.settings"
_HEADER: Final = """\
# Every setting of every process, made by scripts/settings_table.py from the settings classes: do not edit.
# scripts/start-local.sh sets the required ones itself; what is exported beside them wins over a default.
# Any NAME can be given as NAME_FILE, the path of a file that holds the value.
"""
_SERVICE_HEADER: Final = """\
# Every setting of {title}, made by scripts/settings_table.py from its settings classes: do not edit.
# Any NAME can be given as NAME_FILE, the path of a file that holds the value.
"""
_TABLES_HEADER: Final = """\
# Settings

Every setting of every process, made by `scripts/settings_table.py` from the settings classes: do not edit. They are
environment variables; any `NAME` can be given as `NAME_FILE`, the path of a file that holds the value. A process that
lacks a required one, or is given one that does not parse, refuses to start and names all of them. The same as files:
[.env.example](../.env.example), and one in the folder of each service.
"""


@dataclass(frozen=True, slots=True)
class Variable:
    """`default` is None where the variable is required, and empty where leaving it out is a choice of its own."""

    name: str
    doc: str
    default: str | None
    limits: str


def modules(root: Path) -> list[str]:
    """The settings module of every service, and that of the local platform."""
    found = sorted((root / "services").glob("*/*/settings.py"))
    return [*(f"{path.parent.name}.settings" for path in found if path.parent.parent.name != "shared"), LOCAL]


def variables(module: str) -> Iterator[Variable]:
    """In the order of the module's classes and their fields."""
    loaded = importlib.import_module(module)
    for _, cls in inspect.getmembers(loaded, dataclasses.is_dataclass):
        if cls.__module__ == module:
            yield from (_variable(field) for field in dataclasses.fields(cls) if "env" in field.metadata)


def undocumented(module: str) -> list[str]:
    """Fields of settings classes that have no variable or do not say what they mean."""
    loaded = importlib.import_module(module)
    classes = [cls for _, cls in inspect.getmembers(loaded, inspect.isclass) if cls.__module__ == module]
    return [
        f"{module}.{cls.__name__}.{field.name}"
        for cls in filter(dataclasses.is_dataclass, classes)
        for field in dataclasses.fields(cls)
        if not field.metadata.get("env") or len(field.metadata.get("doc", "").split()) < 2
    ]


def groups(module: str) -> dict[str, list[Variable]]:
    """What a service's main class reads, under "", then what others read besides, under what these are for."""
    loaded = importlib.import_module(module)
    classes = [cls for _, cls in inspect.getmembers(loaded, dataclasses.is_dataclass) if cls.__module__ == module]
    classes.sort(key=lambda cls: -len(dataclasses.fields(cls)))
    found: dict[str, list[Variable]] = {}
    seen: set[str] = set()
    for place, cls in enumerate(classes):
        own = [_variable(field) for field in dataclasses.fields(cls) if field.metadata["env"] not in seen]
        seen.update(variable.name for variable in own)
        if own:
            found[_purpose(cls) if place else ""] = own
    return found


def files() -> dict[Path, str]:
    """Everything that this script makes."""
    names = modules(ROOT)
    found = {EXAMPLE: example(names), TABLES: tables(names)}
    for name in names:
        if name != LOCAL:
            found[folder(name) / ".env.example"] = service_example(name)
    return found


def folder(module: str) -> Path:
    """Where the service of a settings module lives."""
    return next((ROOT / "services").glob(f"*/{module.split('.')[0]}/settings.py")).parent.parent


def service_example(module: str) -> str:
    """The text of a service's own .env.example."""
    blocks = [_SERVICE_HEADER.format(title=folder(module).name)]
    for purpose, own in groups(module).items():
        title = f"# --- {purpose} ---\n" if purpose else ""
        blocks.append(title + "".join(_lines(variable) + "\n" for variable in own))
    return "\n".join(blocks)


def tables(names: Sequence[str]) -> str:
    """The text of services/README.md: a section per process, a row per variable."""
    blocks = [_TABLES_HEADER]
    for name in names:
        title = "scripts/start-local.sh" if name == LOCAL else f"[{folder(name).name}]({folder(name).name}/README.md)"
        rows = [
            f"| `{variable.name}` | {_default(variable)} | {_meaning(variable)}{f' ({purpose})' if purpose else ''} |"
            for purpose, own in groups(name).items()
            for variable in own
        ]
        blocks.append("\n".join([f"## {title}\n", "| variable | default | meaning |", "|---|---|---|", *rows, ""]))
    return "\n".join(blocks)


def example(names: Sequence[str]) -> str:
    """The text of .env.example: first what several processes read, then each one's own."""
    found = {name: {variable.name: variable for variable in variables(name)} for name in names}
    uses = [variable for own in found.values() for variable in own]
    shared: dict[str, Variable] = {}
    for variable in (variable for own in found.values() for variable in own.values() if uses.count(variable.name) > 1):
        # Where one process can do without and another cannot, the words are those of the one that cannot.
        known = shared.setdefault(variable.name, variable)
        if known.default is not None and variable.default is None:
            shared[variable.name] = variable
    sections = [("several processes", sorted(shared.values(), key=lambda variable: variable.name))]
    for module, own in found.items():
        title = "the local platform" if module == LOCAL else module.split(".")[0].replace("_", "-")
        sections.append((title, [variable for name, variable in own.items() if name not in shared]))
    blocks = [
        f"# --- {title} ---\n" + "\n".join(_lines(variable) for variable in own) for title, own in sections if own
    ]
    return "\n".join([_HEADER, *(block + "\n" for block in blocks)])


def _variable(field: "dataclasses.Field[Any]") -> Variable:
    metadata = field.metadata
    limits = [f"at least {metadata['minimum']:g}"] if metadata["minimum"] is not None else []
    limits += [f"one of {', '.join(metadata['choices'])}"] if metadata["choices"] else []
    default = None if field.default is dataclasses.MISSING else _text(field.default)
    return Variable(metadata["env"], metadata["doc"], default, "; ".join(limits))


def _purpose(cls: Any) -> str:
    """The first sentence of a class that is not the service's main one: which command it is for."""
    return (cls.__doc__ or "").split("\n")[0].rstrip(".").replace("``", "`")


def _default(variable: Variable) -> str:
    if variable.default is None:
        return "required"
    return f"`{variable.default}`" if variable.default else "none"


def _meaning(variable: Variable) -> str:
    limits = f"; {variable.limits}" if variable.limits else ""
    return f"{variable.doc}{limits}".replace("|", "\\|")


def _text(default: Any) -> str:
    if default is None:
        return ""
    if isinstance(default, tuple):
        return ",".join(default)
    return str(default).lower() if isinstance(default, bool) else str(default)


def _lines(variable: Variable) -> str:
    limits = f" ({variable.limits})" if variable.limits else ""
    doc = variable.doc[0].upper() + variable.doc[1:]
    if variable.default is None:
        return f"# {doc}{limits}. Required.\n{variable.name}="
    return f"# {doc}{limits}.\n#{variable.name}={variable.default}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if a file is not up to date")
    options = parser.parse_args(arguments)
    made = files()
    old = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if not options.check:
        for path in old:
            path.write_text(made[path], encoding="utf-8")
        return 0
    for path in old:
        print(
            f"{path.relative_to(ROOT)} does not match the settings classes: run scripts/settings_table.py",
            file=sys.stderr,
        )
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
