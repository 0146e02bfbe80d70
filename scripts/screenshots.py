"""``python scripts/screenshots.py``: every view of the dashboard as small PNGs; `screenshots.sh` prepares it."""

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import requests
from PIL import Image

from aro.testing.browser import Browser, program
from aro.testing.dashboard import Dashboard
from aro.testing.platform import Platform

ROOT: Final = Path(__file__).resolve().parents[1]
HEIGHTS: Final = {360: 740, 1280: 800, 2560: 1440}
"""Of a phone, a laptop and a large screen."""
OTHER_HEIGHT: Final = 900
OFTEN: Final = 128
EDGES: Final = 64
"""Of a picture's colours, those that are kept; with all of them the pictures would be three times as large."""
SETTLE_SECONDS: Final = 1.5
"""Charts are drawn, cells are not lit any more."""
ACCOUNT: Final = {"email": "pictures@example.com", "password": "a password for pictures"}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=ROOT / "examples" / "screenshots")
    parser.add_argument("--only", nargs="+", metavar="VIEW", help="default: all that the page has")
    parser.add_argument("--widths", nargs="+", type=int, default=list(HEIGHTS))
    parser.add_argument("--history", type=int, default=1800)
    arguments = parser.parse_args()
    path = program()
    if path is None:
        print("screenshots.sh: no Chromium or Chrome is on PATH", file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="aro-pictures-") as folder:
        platform = Platform(Path(folder), feed_arguments=["--seed", "7"], page=ROOT / "services" / "dashboard" / "dist")
        try:
            platform.start()
            platform.backfill("--backfill", str(arguments.history), "--interval", "10")
            with Browser(path, Path(folder)) as browser:
                return take(browser, platform, arguments.out, arguments.only, arguments.widths)
        finally:
            platform.stop()


def take(browser: Browser, platform: Platform, out: Path, views: list[str] | None, widths: list[int]) -> int:
    """One picture after the other; 1 if the page complained."""
    page = Dashboard(browser, platform.url("api"))
    account = f"{platform.url('api')}/api/v1/auth/register"
    requests.post(account, json=ACCOUNT, timeout=10).raise_for_status()
    browser.look(widths[0], HEIGHTS.get(widths[0], OTHER_HEIGHT))
    page.open()
    page.log_in(ACCOUNT)
    page.wait("document.querySelector('.head nav a') !== null", "the navigation")
    total, shown = 0, views or page.views
    for view in shown:
        for width in widths:
            for dark in (False, True):
                browser.look(width, HEIGHTS.get(width, OTHER_HEIGHT), dark=dark)
                # Anew, as whoever comes with this screen would see it.
                page.open(f"/{view}")
                page.wait_live(view)
                time.sleep(SETTLE_SECONDS)
                target = out / f"{view}-{width}-{'dark' if dark else 'light'}.png"
                total += write(browser.picture(), target)
    print(f"{len(shown) * len(widths) * 2} pictures, {total / 1e6:.2f} MB, in {out}")
    for complaint in browser.complaints():
        print(f"the page complained: {complaint}", file=sys.stderr)
    return 1 if browser.complaints() else 0


def write(picture: bytes, target: Path) -> int:
    """With few colours; how many bytes."""
    with Image.open(io.BytesIO(picture)) as image:
        few(image.convert("RGB")).save(target, optimize=True)
    return target.stat().st_size


def few(image: Image.Image) -> Image.Image:
    """The page's own colours as they are, which a quantiser would mix with their neighbours, and the edges of letters
    in the nearest of some more."""
    colours, counts = np.unique(np.asarray(image).reshape(-1, 3), axis=0, return_counts=True)
    often = colours[np.argsort(counts)[::-1][:OFTEN]]
    rest = image.quantize(EDGES, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*often.ravel().tolist(), *rest[: 3 * EDGES]])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


if __name__ == "__main__":
    sys.exit(main())
