"""Write .env.example from the settings classes: every variable that exists, each with its meaning, and no other."""

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
LOCAL: Final = "local.settings"
_HEADER: Final = """\
# Every setting of every process, made by scripts/settings_table.py from the settings classes: do not edit.
# scripts/start-local.sh sets the required ones itself; what is exported beside them wins over a default.
# Any NAME can be given as NAME_FILE, the path of a file that holds the value.
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
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if the file is not up to date")
    options = parser.parse_args(arguments)
    text = example(modules(ROOT))
    if not options.check:
        EXAMPLE.write_text(text, encoding="utf-8")
    elif not EXAMPLE.exists() or EXAMPLE.read_text(encoding="utf-8") != text:
        print(".env.example does not match the settings classes: run scripts/settings_table.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
