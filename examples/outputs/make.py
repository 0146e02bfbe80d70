"""Write all samples anew, those with numbers of their own from a running platform.

    python examples/outputs/make.py [--api URL]

Lists are cut to their first entries, tokens are left out, and the account is called ann@example.com.
"""

import argparse
import json
import secrets
from pathlib import Path
from typing import Any, Final

import requests
from market import PRODUCT, samples
from shape import trimmed

from aro.adapters.clock import SystemClock, iso

HERE: Final = Path(__file__).resolve().parent
SECRETS: Final = frozenset({"access_token", "refresh_token", "token", "password"})
ANALYTICS: Final = (
    "expected-move", "gex", "iv-rank", "max-pain", "oi-buildup", "oi-change", "pcr", "realised", "smile", "straddle",
    "surface", "term-structure", "variance-index",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--api", default="http://127.0.0.1:8000")
    for name, value in {**samples(), **asked(parser.parse_args().api)}.items():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(value if isinstance(value, str) else text(value), encoding="utf-8", newline="")
        print(name)


def text(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def asked(api: str) -> dict[str, Any]:
    """File name to request and answer, from a new account's registration on."""
    asker = Asker(f"{api}/api/v1")
    account = {"email": asker.email, "password": secrets.token_urlsafe(18)}
    asker.ask("unauthorised", "GET", "/products")
    asker.ask("register", "POST", "/auth/register", account)
    asker.token = asker.ask("login", "POST", "/auth/login", account)["access_token"]
    asker.ask("me", "GET", "/auth/me")
    asker.ask("sessions", "GET", "/auth/sessions")
    personal = asker.ask("personal_token", "POST", "/auth/tokens", {"name": "notebook", "scopes": ["read"]})["id"]
    asker.ask("personal_tokens", "GET", "/auth/tokens")
    asker.ask("revoked", "DELETE", f"/auth/tokens/{personal}")
    asker.ask("products", "GET", "/products")
    expiry = asker.ask("expiries", "GET", f"/products/{PRODUCT}/expiries")["expiries"][-1]["expiry"]
    chain = f"/chains/{PRODUCT}"
    asker.ask("chain", "GET", f"{chain}?expiry={expiry}&strikes=atm:1")
    asker.ask("chain_history", "GET", f"{chain}/history?expiry={expiry}&strikes=atm:1&limit=1")
    strike = asker.ask("metrics", "GET", f"{chain}/metrics?expiry={expiry}")["atm_strike"]
    asker.ask("metrics_history", "GET", f"{chain}/metrics/history?expiry={expiry}&fields=forward,iv_atm&limit=2")
    asker.ask("tick", "GET", f"/ticks/{PRODUCT}")
    asker.ask("ticks_history", "GET", f"/ticks/{PRODUCT}/history?limit=2")
    asker.ask("bars", "GET", f"/ohlc/{PRODUCT}?interval=1m")
    asker.ask("bars_of_a_metric", "GET", f"/ohlc/{PRODUCT}?interval=1m&metric=iv_atm&expiry={expiry}")
    for name in ANALYTICS:
        asker.ask(name.replace("-", "_"), "GET", f"/analytics/{PRODUCT}/{name}")
    asker.ask("strategy", "GET", f"/analytics/{PRODUCT}/strategy?expiry={expiry}&legs={strike:g}CE,{strike:g}PE")
    rule = {"product": PRODUCT, "metric": "iv_atm", "op": "above", "threshold": 0.9, "once": True}
    asker.ask("alert", "POST", "/alerts", rule)
    asker.ask("alerts", "GET", "/alerts")
    asker.ask("recordings", "GET", "/replay/recordings")
    begin = {"products": [PRODUCT], "from": iso(SystemClock().now_ms() - 60_000), "speed": 10, "paused": True}
    replay = asker.ask("replay_session", "POST", "/replay/sessions", begin)["id"]
    asker.ask("replay_sought", "PATCH", f"/replay/sessions/{replay}", {"position": begin["from"]})
    asker.ask("replay_stopped", "DELETE", f"/replay/sessions/{replay}")
    asker.ask("unknown_product", "GET", "/products/NOPE/expiries")
    asker.ask("invalid_request", "GET", f"{chain}?strikes=everything")
    asker.ask("logout", "POST", "/auth/logout")
    return asker.answers


class Asker:
    """Keeps of each answer what may be shown."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.email = f"ann-{secrets.token_hex(6)}@example.com"
        self.token = ""
        self.answers: dict[str, Any] = {}

    def ask(self, name: str, method: str, path: str, body: Any = None) -> Any:
        head = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = requests.request(method, f"{self.base}{path}", json=body, headers=head, timeout=30)
        value = answer.json() if answer.content else None
        self.answers[f"rest/{name}.json"] = {
            "request": f"{method} /api/v1{path}",
            **({"sent": self._shown(body)} if body else {}),
            "status": answer.status_code,
            "content_type": answer.headers.get("Content-Type"),
            "body": trimmed(self._shown(value)),
        }
        return value

    def _shown(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._word(key) if key in SECRETS else self._shown(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._shown(part) for part in value]
        return "ann@example.com" if value == self.email else value

    @staticmethod
    def _word(key: str) -> str:
        return f"({key})"


if __name__ == "__main__":
    main()
