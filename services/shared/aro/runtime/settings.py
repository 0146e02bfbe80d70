"""Settings come from the environment, are typed, and a process without a required one refuses to start.

A settings class is a frozen dataclass whose fields are made by `setting`. ``NAME_FILE`` may name a file that
holds the value instead of ``NAME`` (how orchestrators hand over secrets).
"""

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from aro.contracts.products import list_also
from aro.contracts.universe import UNIVERSES, universe_products

_UNIVERSE: Final = "ARO_UNIVERSE"

S = TypeVar("S")


class SettingsError(Exception):
    """One or more settings are missing or malformed; the text lists all of them."""


class Secret(str):
    """A string that does not show itself in logs and tracebacks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"


def setting(
    name: str,
    doc: str,
    *,
    default: Any = dataclasses.MISSING,
    minimum: float | None = None,
    choices: tuple[str, ...] | None = None,
    check: Callable[[Any], None] | None = None,
) -> Any:
    """A field read from environment variable `name`; without `default` it is required.

    `minimum` bounds numbers from below; `check` raises ValueError for what cannot be used; `doc` says unit and meaning,
    and feeds the configuration table.
    """
    metadata = {"env": name, "doc": doc, "minimum": minimum, "choices": choices, "check": check}
    return dataclasses.field(default=default, metadata=metadata)


def load(cls: type[S], environ: Mapping[str, str]) -> S:
    """Build `cls` from `environ`, and make the products of its universe known, which every process has to agree on.

    Raises
    ------
    SettingsError
        Naming every variable that is missing or does not parse, so that one start shows them all.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        env = field.metadata["env"]
        try:
            raw = _read(env, environ)
            if raw is not None:
                values[field.name] = _parse(raw, hints[field.name], field.metadata)
            elif field.default is dataclasses.MISSING:
                faults.append(f"{env} is missing: {field.metadata['doc']}")
        except (ValueError, OSError) as error:
            faults.append(f"{env} {error}")
    try:
        list_also(universe_products(_read(_UNIVERSE, environ) or UNIVERSES[0]))
    except ValueError as error:
        faults.append(f"{_UNIVERSE} {error}")
    if faults:
        raise SettingsError("; ".join(faults))
    return cls(**values)


def _read(env: str, environ: Mapping[str, str]) -> str | None:
    file = environ.get(f"{env}_FILE")
    if file:
        return Path(file).read_text(encoding="utf-8").strip()
    value = environ.get(env)
    return value if value not in (None, "") else None


def _parse(raw: str, kind: Any, metadata: Mapping[str, Any]) -> Any:
    if isinstance(kind, types.UnionType):  # "int | None": the type that is not None
        kind = next(arm for arm in typing.get_args(kind) if arm is not types.NoneType)
    if kind == tuple[str, ...]:
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    shown = "what was given" if kind is Secret else repr(raw[:40])
    parser: Callable[[str], Any] = {bool: _boolean, float: _finite}.get(kind, kind)
    try:
        value = parser(raw)
    except ValueError:
        raise ValueError(f"must be {_describe(kind)}, not {shown}") from None
    if metadata["minimum"] is not None and value < metadata["minimum"]:
        raise ValueError(f"must be at least {metadata['minimum']}, not {raw}")
    if metadata["choices"] is not None and value not in metadata["choices"]:
        raise ValueError(f"must be one of {', '.join(metadata['choices'])}, not {shown}")
    if metadata["check"] is not None:
        metadata["check"](value)
    return value


def _boolean(raw: str) -> bool:
    # bool("false") is True; spell it out.
    if raw.lower() in ("1", "true", "yes", "on"):
        return True
    if raw.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(raw)


def _finite(raw: str) -> float:
    # NaN is below no minimum.
    value = float(raw)
    if not math.isfinite(value):
        raise ValueError(raw)
    return value


def _describe(kind: Any) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(
        kind, getattr(kind, "__name__", "valid")
    )
