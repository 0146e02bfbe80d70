"""Compile every requirements.in of the repository into hashed requirements.txt files under one set of versions.

A service needs what its ``requirements.in`` and the ``dependencies`` of its ``pyproject.toml`` name; our own
package ``aro[extra]`` is replaced by what `services/shared/pyproject.toml` says that the extra needs.
``scripts/`` (the local platform) and ``tests/`` need what all services need, and their own on top. Folders of
``observability/`` name what comes on top of an image. Tools in folders
below ``scripts/``, and what benchmarks below ``tests/load/`` compare with, live in environments of their own, so they
share no version with anybody.
Each compiled file names the digest of its inputs, so ``--check`` needs neither network nor uv.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
OUR_PACKAGE: Final = "aro"
OLDEST_PYTHON: Final = "3.11"
_REQUIREMENT: Final = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[(?P<extras>[^\]]*)\])?(?P<rest>.*)$")
_PIN: Final = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)(?P<marker>\s*;[^\\]*)?")
_DIGEST: Final = re.compile(r"^# inputs sha256:([0-9a-f]{64})$", re.MULTILINE)
_SHA256: Final = "    --hash=sha256:"


class LockError(Exception):
    """The inputs cannot be read or do not resolve; the text is for a person."""


@dataclass(frozen=True, slots=True)
class Target:
    """One compiled file: the requirements that go in, and the path that comes out."""

    requirements: tuple[str, ...]
    output: Path

    @property
    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.requirements).encode()).hexdigest()


def read_requirements(path: Path) -> list[str]:
    """Requirement lines of `path` without comments. Raises `LockError` for pip options."""
    lines = [line.split(" #")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    kept = [line for line in lines if line and not line.startswith("#")]
    for line in kept:
        if line.startswith("-") or _REQUIREMENT.match(line) is None:
            raise LockError(f"{path}: {line!r} is not a plain requirement")
    return kept


def canonical(name: str) -> str:
    """PEP 503 form of a package name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def expand(requirements: Iterable[str], shared: Mapping[str, object]) -> set[str]:
    """Replace ``aro[x,y]`` by what those extras need; everything else stays as it is.

    `shared` is the ``[project]`` table of our package.
    """
    extras: Mapping[str, Sequence[str]] = shared["optional-dependencies"]  # type: ignore[assignment]
    expanded: set[str] = set()
    pending = list(requirements)
    seen: set[str] = set()
    while pending:
        requirement = pending.pop()
        match = _REQUIREMENT.match(requirement)
        if match is None or canonical(match["name"]) != OUR_PACKAGE:
            expanded.add(requirement)
            continue
        pending.extend(shared["dependencies"] if OUR_PACKAGE not in seen else ())  # type: ignore[arg-type]
        seen.add(OUR_PACKAGE)
        for extra in filter(None, (part.strip() for part in (match["extras"] or "").split(","))):
            if extra not in extras:
                raise LockError(f"{requirement!r} asks for an extra that {OUR_PACKAGE} does not have")
            if extra not in seen:
                seen.add(extra)
                pending.extend(extras[extra])
    return expanded


def service_requirements(folder: Path, shared: Mapping[str, object]) -> set[str]:
    named = read_requirements(folder / "requirements.in")
    pyproject = folder / "pyproject.toml"
    if pyproject.exists():
        named += _project(pyproject).get("dependencies", [])  # type: ignore[arg-type]
    return expand(named, shared)


def targets(root: Path) -> list[Target]:
    """Every service's target, then those of the local platform and of the tests, which contain them all."""
    shared = _project(root / "services" / "shared" / "pyproject.toml")
    found: list[Target] = []
    everything: set[str] = set()
    for source in sorted((root / "services").glob("*/requirements.in")):
        needed = service_requirements(source.parent, shared)
        everything |= needed
        found.append(_target(needed, source))
    for name in ("scripts", "tests"):
        source = root / name / "requirements.in"
        everything = everything | expand(read_requirements(source), shared)
        found.append(_target(everything, source))
    # Comes on top of an image, and so must have its versions.
    on_top = sorted((root / "observability").glob("*/requirements.in"))
    return found + [_target(expand(read_requirements(source), shared), source) for source in on_top]


def tool_targets(root: Path) -> list[Target]:
    """Tools and peers of benchmarks that run in environments of their own."""
    sources = [source for folder in ("scripts", "tests/load") for source in root.glob(f"{folder}/*/requirements.in")]
    return [_target(set(read_requirements(source)), source) for source in sorted(sources)]


def constraints_target(root: Path) -> Target:
    """The union of all targets and of every extra of our package."""
    shared = _project(root / "services" / "shared" / "pyproject.toml")
    extras: Mapping[str, object] = shared["optional-dependencies"]  # type: ignore[assignment]
    union = expand([f"{OUR_PACKAGE}[{','.join(extras)}]"], shared)
    union.update(*(target.requirements for target in targets(root)))
    return Target(tuple(sorted(union)), root / "services" / "constraints.txt")


def pins(text: str) -> dict[str, str]:
    """Canonical package name → ``version`` and marker, of a compiled file."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _PIN.match(line)
        if match is not None:
            found[canonical(match["name"])] = match["version"] + (match["marker"] or "").rstrip()
    return found


def faults(root: Path) -> list[str]:
    """What is not up to date, one sentence each."""
    constraints = constraints_target(root)
    versions = pins(_read(constraints.output))
    found = _stale(root, constraints)
    for target in targets(root):
        text = _read(target.output)
        found += _stale(root, target)
        name = target.output.relative_to(root)
        for package, version in pins(text).items():
            # A marker may be narrower in the file of all: compare the versions.
            if version.split(";")[0].strip() != versions.get(package, "").split(";")[0].strip():
                found.append(f"{name} has {package} {version}, constraints.txt {versions.get(package, 'none')}")
        found += _unlocked(name, text)
    for target in tool_targets(root):
        text = _read(target.output)
        found += _stale(root, target) + _unlocked(target.output.relative_to(root), text)
    return found


def _unlocked(name: Path, text: str) -> list[str]:
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
    found = [
        f"{name}: {block.split()[0]} has no hash" for block in blocks if _PIN.match(block) and _SHA256 not in block
    ]
    if re.search(r"https?://|file:|^-(?!-hash)", text, re.MULTILINE):
        found.append(f"{name} names an index or a path")
    return found


def compile_all(root: Path, uv: Sequence[str], *, upgrade: bool) -> None:
    """Resolve once for all, then hash each target under that one set of versions."""
    constraints = constraints_target(root)
    _compile(
        constraints, [*uv, *(["--upgrade"] if upgrade else [])], root, "Versions of every package, for all services"
    )
    for target in targets(root):
        command = [*uv, "--generate-hashes", "--constraint", str(constraints.output)]
        # Old pins of this very file must not hold back what the constraints say now.
        target.output.unlink(missing_ok=True)
        _compile(target, command, root, "Hashed versions")
    for target in tool_targets(root):
        command = [*uv, "--generate-hashes", *(["--upgrade"] if upgrade else [])]
        _compile(target, command, root, "Hashed versions for an environment of its own")


def _compile(target: Target, uv: Sequence[str], root: Path, title: str) -> None:
    command = [
        *[*uv, "-", "--output-file", str(target.output), "--quiet"],
        *["--universal", "--python-version", OLDEST_PYTHON, "--fork-strategy", "fewest"],
        *["--no-header", "--no-annotate"],
    ]
    result = subprocess.run(command, input="\n".join(target.requirements), text=True, cwd=root, check=False)
    if result.returncode != 0:
        raise LockError(f"{target.output.relative_to(root)} does not resolve")
    body = target.output.read_text(encoding="utf-8")
    header = f"# {title}. Made by scripts/lock.sh, do not edit.\n# inputs sha256:{target.digest}\n"
    target.output.write_text(header + body, encoding="utf-8")


def _target(requirements: set[str], source: Path) -> Target:
    return Target(tuple(sorted(requirements)), source.with_name("requirements.txt"))


def _stale(root: Path, target: Target) -> list[str]:
    found = _DIGEST.search(_read(target.output))
    if found is None or found[1] != target.digest:
        return [f"{target.output.relative_to(root)} was not compiled from the present requirements"]
    return []


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _project(path: Path) -> dict[str, object]:
    project: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    return project


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/lock.sh", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether the files are up to date (offline)")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that the inputs allow")
    options = parser.parse_args(arguments)
    try:
        if not options.check:
            uv = os.environ.get("ARO_UV", "uv")
            compile_all(ROOT, [uv, "pip", "compile"], upgrade=options.upgrade)
        wrong = faults(ROOT)
    except LockError as error:
        wrong = [str(error)]
    for fault in wrong:
        print(fault, file=sys.stderr)
    if not wrong:
        print(f"{len(targets(ROOT)) + len(tool_targets(ROOT)) + 1} compiled requirement files are up to date")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
