"""A dashboard as its build leaves one, but small."""

import gzip
from pathlib import Path
from typing import Final

import brotli

SCRIPT: Final = "index-8f3a.js"
_FILES: Final = {
    "index.html": f'<!doctype html><title>Option ARO</title><script type="module" src="/assets/{SCRIPT}"></script>',
    f"assets/{SCRIPT}": "export const page = 1;\n" * 40,
}


def write_page(folder: Path) -> Path:
    """`folder`, with the page in it and every file packed beside itself."""
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    for name, text in _FILES.items():
        plain = text.encode()
        (folder / name).write_bytes(plain)
        (folder / f"{name}.gz").write_bytes(gzip.compress(plain))
        (folder / f"{name}.br").write_bytes(brotli.compress(plain))
    return folder
