"""Check Dockerfiles, workflows and rendered manifests with checkov: each failure is mended, or justified in one file.

checkov alone is silent about files that its parsers give up on, so every file must show up among its results.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
JUSTIFIED: Final = ROOT / ".github" / "checkov.yml"
COPIED: Final = ("services/*/Dockerfile", "observability/*/Dockerfile", ".github/workflows/*.yml")
FEWEST_WORDS: Final = 8
"""A reason is a sentence."""


class PolicyError(Exception):
    """The inputs cannot be made or read; the text is for a person."""


@dataclass(frozen=True, slots=True)
class Failure:
    check: str
    name: str
    resource: str
    file: str


@dataclass(frozen=True, slots=True)
class Justification:
    """That failures of `check` in resources of a pattern stay."""

    check: str
    pattern: str

    def covers(self, failure: Failure) -> bool:
        return failure.check == self.check and fnmatchcase(failure.resource, self.pattern)


def justifications(text: str) -> tuple[list[Justification], set[str]]:
    """(failures that stay, files that need not be checked). Raises `PolicyError` for an entry without a reason."""
    document = yaml.safe_load(text)
    for entry in (*document["failures"], *document["unread"]):
        if len(entry.get("reason", "").split()) < FEWEST_WORDS:
            raise PolicyError(f"{entry.get('check', entry.get('file'))} is listed without a reason")
    stay = [Justification(entry["check"], pattern) for entry in document["failures"] for pattern in entry["resources"]]
    return stay, {entry["file"] for entry in document["unread"]}


def faults(failures: Sequence[Failure], justified: Sequence[Justification]) -> list[str]:
    """What is neither mended nor justified, and what is justified in vain."""
    found = {
        f"{failure.check} {failure.name}: {failure.resource}, {failure.file}"
        for failure in failures
        if not any(entry.covers(failure) for entry in justified)
    }
    found |= {
        f"{entry.check} is justified for {entry.pattern}, where nothing fails"
        for entry in justified
        if not any(entry.covers(failure) for failure in failures)
    }
    return sorted(found)


def unread_faults(wanted: set[str], checked: set[str], excused: set[str]) -> list[str]:
    """Files of which checkov said nothing, and excuses that are none any more."""
    return [f"{name} was not checked: checkov could not read it" for name in sorted(wanted - checked - excused)] + [
        f"{name} is excused from being read, and is read" for name in sorted(excused - (wanted - checked))
    ]


def results(report: Any) -> tuple[list[Failure], set[str]]:
    """(failures, files that were checked at all) of checkov's JSON: one object, or one for each framework."""
    failures: list[Failure] = []
    files: set[str] = set()
    for part in report if isinstance(report, list) else [report]:
        checks = part.get("results", {})
        for check in (*checks.get("failed_checks", ()), *checks.get("passed_checks", ())):
            files.add(check["file_path"].lstrip("/"))
        failures += [
            Failure(check["check_id"], check["check_name"], check["resource"], check["file_path"].lstrip("/"))
            for check in checks.get("failed_checks", ())
        ]
    return failures, files


def collect(root: Path, folder: Path) -> set[str]:
    """Copy and render into `folder` what is to be checked; returns paths below it. Raises `PolicyError`."""
    wanted = {str(path.relative_to(root)) for pattern in COPIED for path in root.glob(pattern)}
    for name in wanted:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    for overlay in sorted((root / "k8s" / "overlays").iterdir()):
        done = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PolicyError(done.stderr.strip())
        name = f"k8s/{overlay.name}.yaml"
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(done.stdout, encoding="utf-8")
        wanted.add(name)
    return wanted


def run(checkov: str, folder: Path) -> Any:
    """checkov's report. It asks no server: --skip-download."""
    command = [checkov, "--directory", ".", "--framework", "kubernetes", "dockerfile", "github_actions"]
    done = subprocess.run(
        [*command, "--skip-download", "--compact", "--output", "json", "--soft-fail"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PolicyError(f"checkov ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--checkov", default="checkov", metavar="PATH", help="where it is, if not on PATH")
    options = parser.parse_args(arguments)
    try:
        justified, excused = justifications(JUSTIFIED.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory(prefix="policies-") as folder:
            wanted = collect(ROOT, Path(folder))
            failures, checked = results(run(options.checkov, Path(folder)))
    except PolicyError as error:
        print(error, file=sys.stderr)
        return 1
    wrong = unread_faults(wanted, checked, excused) + faults(failures, justified)
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        print(f"{len(checked)} files, {len(failures)} failed checks, all justified in {JUSTIFIED.relative_to(ROOT)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
