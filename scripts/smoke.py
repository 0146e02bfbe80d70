"""What a client needs of the platform, asked of a running one; see smoke.sh --help."""

import argparse
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import requests
import socketio

NAMESPACE: Final = "/v1"
UPDATES: Final = 3
"""Of each channel that changes every second, before the socket counts as live."""
_PAUSE: Final = 0.2
_REQUEST_SECONDS: Final = 15.0
_REVOKED_SECONDS: Final = 3.0

Position = tuple[str, int]
"""(epoch, seq)"""


class Failure(Exception):
    """A check did not hold; the text says what was seen instead."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="smoke.sh")
    parser.add_argument("--api", default="http://127.0.0.1:8000")
    parser.add_argument("--socket", default="http://127.0.0.1:8010")
    parser.add_argument("--product", default="NIFTY")
    parser.add_argument("--wait", type=float, default=90.0)
    arguments = parser.parse_args()
    begun = time.monotonic()
    smoke = Smoke(arguments.api.rstrip("/"), arguments.socket.rstrip("/"), arguments.product, begun + arguments.wait)
    try:
        smoke.run()
    except Failure:
        return 1
    finally:
        smoke.stream.close()
    print(f"all {smoke.checks} checks held in {time.monotonic() - begun:.1f} s")
    return 0


class Smoke:
    """One account, its REST session and its socket. `deadline` (monotonic) ends all waiting for data."""

    def __init__(self, api: str, socket: str, product: str, deadline: float) -> None:
        self.api = api
        self.socket = socket
        self.product = product
        self.deadline = deadline
        self.checks = 0
        self.expiry = ""
        self.session = requests.Session()
        self.stream = Stream()
        self._told = ""

    def run(self) -> None:
        account = {"email": f"smoke-{secrets.token_hex(6)}@example.com", "password": secrets.token_urlsafe(18)}
        with self.check("both gateways are ready"):
            self.until(self.is_ready, "both /readyz to answer 200")
        with self.check("without a token: 401"):
            self.refused("/products")
        with self.check("register"):
            self.send("/auth/register", account, 201)
        with self.check("log in"):
            token = self.send("/auth/login", account, 200)["access_token"]
            self.session.headers["Authorization"] = f"Bearer {token}"
        for name, step in (
            ("products", self.products),
            ("expiries", self.expiries),
            ("chain", self.chain),
            ("metrics", self.metrics),
            ("surface", self.surface),
            ("bars", self.bars),
        ):
            with self.check(name):
                step()
        self.follow(token)
        with self.check("log out: the token and the socket end"):
            self.send("/auth/logout", {}, 204)
            self.deadline = time.monotonic() + _REVOKED_SECONDS
            self.until(lambda: self.get("/auth/me").status_code == 401, "401 for a session that has ended")
            self.until(self.stream.is_closed, "the socket of a session that has ended to be closed")

    def follow(self, token: str) -> None:
        with self.check("a socket without a token is refused"):
            self.refused_socket()
        channels = [
            f"ticks:{self.product}",
            f"chain:{self.product}:{self.expiry}",
            f"metrics:{self.product}:{self.expiry}",
            f"surface:{self.product}",
        ]
        with self.check("subscribe"):
            self.stream.open(self.socket, token)
            self.told(f"{self.stream.subscribe(channels)} channels")
        with self.check("a snapshot, then updates"):
            for channel in channels[:3]:
                self.until(partial(self.stream.holds, channel, UPDATES + 1), f"{UPDATES} updates of {channel}")
            self.until(partial(self.stream.holds, channels[3], 1), f"a state of {channels[3]}")
            self.told(f"{sum(map(self.stream.count, channels))} messages")
        for channel, path in zip(
            channels[1:],
            (f"/chains/{self.product}", f"/chains/{self.product}/metrics", f"/analytics/{self.product}/surface"),
            strict=True,
        ):
            with self.check(f"REST = socket: {channel.split(':')[0]}"):
                self.until(partial(self.same, path, channel), f"{path} at a seq of {channel}")
        with self.check("each seq once, none left out"):
            self.told(self.stream.in_order())

    # --- REST ----------------------------------------------------------------------------------

    def is_ready(self) -> bool:
        try:
            return all(requests.get(f"{url}/readyz", timeout=2).status_code == 200 for url in (self.api, self.socket))
        except requests.RequestException:
            return False

    def products(self) -> None:
        def with_data() -> list[str]:
            return [item["product"] for item in self.read("/products")["products"] if item["has_data"]]

        self.until(lambda: self.product in with_data(), f"data of {self.product}")
        self.told(" ".join(with_data()))

    def expiries(self) -> None:
        def live() -> list[str]:
            return [
                x["expiry"] for x in self.read(f"/products/{self.product}/expiries")["expiries"] if not x["expired"]
            ]

        self.until(live, f"a live expiry of {self.product}")
        # An expiry that ends while this runs would be no failure of the platform.
        self.expiry = live()[-1]
        self.told(f"{len(live())}, the last is {self.expiry}")

    def chain(self) -> None:
        chain = self.awaited(f"/chains/{self.product}", expiry=self.expiry)
        strikes, calls = chain["strikes"], chain["calls"]
        require(len(strikes) > 0 and strikes == sorted(strikes), "no strikes, or not in order")
        require(all(len(column) == len(strikes) for column in calls.values()), "columns differ in length")
        solved = [iv for side in (calls, chain["puts"]) for iv in side["iv"] if iv is not None]
        require(solved and all(0 < iv < 5 for iv in solved), f"implied volatilities: {solved[:5]}")
        self.told(f"{len(strikes)} strikes, {len(solved)} volatilities, forward {chain['forward']}")

    def metrics(self) -> None:
        metrics = self.awaited(f"/chains/{self.product}/metrics", expiry=self.expiry)
        require(metrics["forward"] > 0 and 0 < metrics["iv_atm"] < 5, f"{metrics['forward']}, {metrics['iv_atm']}")
        self.told(f"iv_atm {metrics['iv_atm']}, pcr_oi {metrics['pcr_oi']}, max_pain {metrics['max_pain']}")

    def surface(self) -> None:
        surface = self.awaited(f"/analytics/{self.product}/surface")
        self.told(f"{surface['model']}, {len(surface['slices'])} smiles")

    def bars(self) -> None:
        def bars() -> list[dict[str, Any]]:
            answer = self.get(f"/ohlc/{self.product}", interval="1m")
            found: list[dict[str, Any]] = answer.json()["bars"] if answer.ok else []
            return found

        self.until(bars, f"a bar of {self.product}")
        for bar in bars():
            require(bar["low"] <= min(bar["open"], bar["close"]), f"a low above: {bar}")
            require(bar["high"] >= max(bar["open"], bar["close"]), f"a high below: {bar}")
        self.told(f"{len(bars())}, the last closes at {bars()[-1]['close']}")

    def same(self, path: str, channel: str) -> bool:
        """Whether REST answered with a state that the socket had, too; both must say the same then."""
        answer = self.get(path, **({} if channel.startswith("surface") else {"expiry": self.expiry}))
        require(answer.status_code == 200, f"{path}: {words(answer)}")
        position = (answer.headers.get("X-Epoch", ""), int(answer.headers.get("X-Seq", 0)))
        pushed = self.stream.state(channel, position)
        if pushed is None:
            return False
        require(pushed == answer.json(), f"{path} and {channel} differ at seq {position[1]}")
        self.told(f"seq {position[1]}")
        return True

    def get(self, path: str, **query: str) -> requests.Response:
        return self.session.get(f"{self.api}/api/v1{path}", params=query, timeout=_REQUEST_SECONDS)

    def read(self, path: str, **query: str) -> dict[str, Any]:
        answer = self.get(path, **query)
        require(answer.status_code == 200, f"{path}: {words(answer)}")
        body: dict[str, Any] = answer.json()
        return body

    def awaited(self, path: str, **query: str) -> dict[str, Any]:
        """What a platform that has just started has not yet, but soon."""
        self.until(lambda: self.get(path, **query).status_code == 200, f"{path} to answer 200")
        return self.read(path, **query)

    def send(self, path: str, body: dict[str, str], status: int) -> dict[str, Any]:
        answer = self.session.post(f"{self.api}/api/v1{path}", json=body or None, timeout=_REQUEST_SECONDS)
        require(answer.status_code == status, f"{path}: {words(answer)}")
        return answer.json() if answer.content else {}

    def refused(self, path: str) -> None:
        answer = self.get(path)
        require(answer.status_code == 401, f"{path} without a token: {answer.status_code}")
        require(answer.headers["Content-Type"] == "application/problem+json", answer.headers["Content-Type"])
        self.told(answer.json()["code"])

    def refused_socket(self) -> None:
        stranger = Stream()
        try:
            stranger.open(self.socket, None)
        except Failure as refusal:
            self.told(str(refusal))
        else:
            raise Failure("it was let in")
        finally:
            stranger.close()

    # --- checks --------------------------------------------------------------------------------

    @contextmanager
    def check(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        self._told = ""
        self.checks += 1
        try:
            yield
        except (Failure, OSError, KeyError, TypeError, ValueError) as error:
            reason = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
            show("FAIL", name, reason, begun)
            raise Failure(reason) from error
        show("ok", name, self._told, begun)

    def told(self, text: str) -> None:
        self._told = text

    def until(self, condition: Callable[[], object], what: str) -> None:
        while not condition():
            if time.monotonic() > self.deadline:
                raise Failure(f"waited in vain for {what}")
            time.sleep(_PAUSE)


class Stream:
    """What one socket was sent. Handlers run in threads of their own, so order is told by seq only."""

    def __init__(self) -> None:
        self._client = socketio.Client(reconnection=False)
        self._states: dict[str, dict[Position, Any]] = {}
        self._repeated: list[str] = []
        self._resyncs: list[str] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._client.on("snapshot", self._take, namespace=NAMESPACE)
        self._client.on("update", self._take_update, namespace=NAMESPACE)
        self._client.on("resync", lambda message: self._resyncs.append(message["channel"]), namespace=NAMESPACE)
        self._client.on("disconnect", lambda *_: self._ended.set(), namespace=NAMESPACE)

    def open(self, url: str, token: str | None) -> None:
        refusals: list[Any] = []
        self._client.on("connect_error", refusals.append, namespace=NAMESPACE)
        auth = {"token": token} if token else None
        try:
            self._client.connect(url, namespaces=[NAMESPACE], transports=["websocket"], auth=auth, wait_timeout=10)
        except socketio.exceptions.ConnectionError as error:
            said = refusals[-1] if refusals else error
            raise Failure(str(said.get("data", said).get("code", said) if isinstance(said, dict) else said)) from error

    def subscribe(self, channels: list[str]) -> int:
        try:
            answer = self._client.call("subscribe", {"channels": channels}, namespace=NAMESPACE, timeout=10)
        except socketio.exceptions.SocketIOError as error:
            raise Failure(f"no answer to subscribe: {error!r}") from error
        require(not answer.get("rejected") and "error" not in answer, f"refused: {answer}")
        return len(answer["ok"])

    def count(self, channel: str) -> int:
        with self._lock:
            return len(self._states.get(channel, {}))

    def holds(self, channel: str, states: int) -> bool:
        return self.count(channel) >= states

    def state(self, channel: str, position: Position) -> Any:
        with self._lock:
            return self._states.get(channel, {}).get(position)

    def in_order(self) -> str:
        """Raises `Failure` where a seq came twice or not at all without a word."""
        with self._lock:
            require(not self._repeated, f"more than once: {self._repeated[:3]}")
            for channel, states in self._states.items():
                for epoch in {epoch for epoch, _ in states}:
                    numbers = sorted(seq for of, seq in states if of == epoch)
                    holes = numbers[-1] - numbers[0] + 1 - len(numbers)
                    require(holes == 0 or channel in self._resyncs, f"{holes} numbers of {channel} are missing")
            return f"{sum(map(len, self._states.values()))} states of {len(self._states)} channels"

    def is_closed(self) -> bool:
        return self._ended.is_set()

    def close(self) -> None:
        self._client.disconnect()

    def _take(self, message: dict[str, Any]) -> None:
        with self._lock:
            states = self._states.setdefault(message["channel"], {})
            states.setdefault((message["epoch"], message["seq"]), message["data"])

    def _take_update(self, message: dict[str, Any]) -> None:
        with self._lock:
            if (message["epoch"], message["seq"]) in self._states.get(message["channel"], {}):
                self._repeated.append(f"{message['channel']} {message['seq']}")
        self._take(message)


def require(holds: object, otherwise: str) -> None:
    if not holds:
        raise Failure(otherwise)


def words(answer: requests.Response) -> str:
    return f"{answer.status_code} {answer.text[:200]}"


def show(verdict: str, name: str, detail: str, begun: float) -> None:
    print(f"{verdict:<5}{name:<40}{time.monotonic() - begun:6.2f} s  {detail}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
