"""Find what must not be in the repository: secrets, package indexes of one machine, and paths of one machine."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
MAX_BYTES: Final = 2_000_000

IN_URL: Final = "a credential in a URL"
# Written so that no pattern matches its own text.
PATTERNS: Final = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{20}"),
    "a token": re.compile(r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    "a cloud key": re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    IN_URL: re.compile(r"\b(?:redis|mongodb|https?)://[^\s/:@{}$<>\"'`]*:[^\s/:@{}$<>\"'`*]{6,}@"),
    "a package index": re.compile(r"(?:--index-url|--extra-index-url|--find-links)[ =]|\"resolved\": ?\"http"),
    "a path of one machine": re.compile(r"(?<![\w.$}/-])/(?:work|root|opt/pypi|opt/wheels|tmp/v|Users/\w+|home/\w+)/"),
}


def files(root: Path) -> Iterator[Path]:
    """What git holds or would take up."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout
    for name in sorted(filter(None, listed.decode().split("\0"))):
        path = root / name
        if path.is_file() and path.stat().st_size <= MAX_BYTES:
            yield path


def leaks(text: str) -> Iterator[tuple[int, str]]:
    """(line number, what it is) of each finding; never the finding itself."""
    for kind, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, kind


def main() -> int:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {kind}"
        for path in files(ROOT)
        for line, kind in leaks(path.read_text(encoding="utf-8", errors="replace"))
        if kind != IN_URL or path.relative_to(ROOT).parts[0] != "tests"  # theirs protect nothing
    ]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
