"""The dashboard in a browser, as a person uses it: log in, go somewhere, wait until it is live, read numbers."""

import json
from collections.abc import Mapping
from typing import Any, Final

from aro.testing.browser import Browser
from aro.testing.eventually import eventually

PATIENCE_SECONDS: Final = 40.0
"""Until a view is live, on a machine that does other things too."""


class Dashboard:
    def __init__(self, browser: Browser, origin: str) -> None:
        self.browser = browser
        self.origin = origin

    def open(self, place: str = "") -> None:
        """`place` as in ``#/chain/NIFTY``, without the ``#``."""
        self.browser.call("Page.navigate", url="about:blank")
        self.browser.open(f"{self.origin}/#{place}" if place else f"{self.origin}/")

    def log_in(self, account: Mapping[str, str]) -> None:
        """From the form, which has to be there or to come."""
        self.wait("document.querySelector('.login form') !== null", "the form of the log-in")
        self.browser.evaluate(
            f"""(({{ email, password }}) => {{
              document.querySelector("[name=email]").value = email;
              document.querySelector("[name=password]").value = password;
              document.querySelector(".login form").requestSubmit();
            }})({json.dumps(dict(account))})"""
        )
        self.wait("document.querySelector('main#view') !== null", "the page behind the log-in")

    def go(self, place: str) -> None:
        self.browser.evaluate(f"location.hash = {json.dumps('#' + place)}")

    @property
    def place(self) -> str:
        return str(self.browser.evaluate("location.hash")).removeprefix("#")

    @property
    def badge(self) -> str:
        """How good the page says that its data is."""
        return str(self.browser.evaluate("document.querySelector('.head .badge')?.dataset.freshness ?? ''"))

    @property
    def words(self) -> str:
        """What the page says is wrong, or looked at."""
        return str(self.browser.evaluate("document.querySelector('.band')?.textContent ?? ''"))

    @property
    def views(self) -> list[str]:
        """Names of all views, in the order of the navigation."""
        script = "[...document.querySelectorAll('.head nav a')].map((link) => link.hash.split(/[/?]/)[1])"
        return list(self.browser.evaluate(script))

    def show(self, view: str) -> None:
        """Go to a view, of its first product, and wait until it shows live data."""
        self.go(f"/{view}")
        self.wait_live(view)

    def wait_live(self, view: str) -> None:
        self.wait(
            f"""(() => {{
              const view = document.querySelector("main#view");
              const badge = document.querySelector(".head .badge");
              if (view?.dataset.view !== {json.dumps(view)} || badge?.dataset.freshness !== "live") return false;
              const all = [view, ...view.querySelectorAll("[data-freshness]")];
              const states = all.map((element) => element.dataset.freshness).filter(Boolean);
              return states.length > 0 && states.every((state) => state === "live") && !view.querySelector(".empty");
            }})()""",
            f"view {view} to be live",
        )

    def wait(self, expression: str, what: str, *, seconds: float = PATIENCE_SECONDS) -> Any:
        """Until `expression` is true in the page."""
        return eventually(lambda: self.browser.evaluate(expression), what, seconds=seconds)
