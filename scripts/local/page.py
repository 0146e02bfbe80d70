"""The dashboard of a local platform: where its build is."""

from pathlib import Path
from typing import Final

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = _CHECKOUT / "services" / "dashboard" / "dist"


def built_page() -> Path | None:
    """The folder that the api-gateway serves; None where nothing was built."""
    return FOLDER if (FOLDER / "index.html").is_file() else None
