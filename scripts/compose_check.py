"""What README says of the compose platform, asked of a running one; see compose-check.sh --help."""

import argparse
import json
import os
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

import requests
from smoke import Failure, Stream, require

API: Final = "http://127.0.0.1:8000/api/v1"
SOCKET: Final = "http://127.0.0.1:8010"
KEYS: Final = "http://127.0.0.1:8000/.well-known/jwks.json"
COMPOSE: Final = shlex.split(os.environ.get("ARO_COMPOSE", "docker compose"))
DOCKER: Final = shlex.split(os.environ.get("ARO_DOCKER", "docker"))
CLIENTS: Final = 16
HISTORY_SECONDS: Final = 30
"""Whatever was under way then is stored by now."""
UP: Final = ("up", "--detach", "--wait", "--wait-timeout", "300")
_HEAL_SECONDS: Final = 120.0
_SETTLE_SECONDS: Final = 60.0

T = TypeVar("T")
Outcome = list[str]
"""One line per thing that was seen."""


def main() -> int:
    names = ("hardened", "scaled", "heals", "kept")
    parser = argparse.ArgumentParser(prog="compose-check.sh")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--only", choices=names)
    parser.add_argument("--kill", default="")
    arguments = parser.parse_args()
    actions = (hardened, partial(scaled, arguments.seconds), partial(heals, arguments.kill), kept)
    checks: dict[str, Callable[[], Outcome]] = dict(zip(names, actions, strict=True))
    failed = 0
    for name, check in checks.items():
        if arguments.only in (None, name):
            begun = time.monotonic()
            try:
                lines = check()
                verdict = "ok"
            except (Failure, OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
                lines, verdict = [str(error)], "FAIL"
                failed += 1
            print(f"{verdict:<5}{name:<10}{time.monotonic() - begun:7.1f} s", *lines, sep="\n     ", flush=True)
    print("every check held" if not failed else f"{failed} did not hold")
    return 1 if failed else 0


def hardened() -> Outcome:
    lines = []
    for container in containers():
        host, config = container["HostConfig"], container["Config"]
        name = service(container)
        require(config["User"] == "10001:10001", f"{name} runs as {config['User'] or 'root'}")
        require(host["ReadonlyRootfs"], f"the root of {name} can be written")
        require([c.upper().removeprefix("CAP_") for c in host["CapDrop"]] == ["ALL"], f"{name} keeps capabilities")
        require(not host["CapAdd"], f"{name} has {host['CapAdd']}")
        require("no-new-privileges:true" in host["SecurityOpt"], f"{name} may gain privileges")
        if container["State"]["Running"]:
            uid = run(*DOCKER, "exec", container["Id"], "id", "-u").strip()
            require(uid == "10001", f"uid in {name}: {uid}")
            wrote = subprocess.run(
                [*DOCKER, "exec", container["Id"], "sh", "-c", ": > /aro-was-here"], capture_output=True, check=False
            )
            require(wrote.returncode != 0, f"{name} wrote to /")
        lines.append(name)
    return [f"{len(lines)} containers: {', '.join(sorted(lines))}"]


def scaled(seconds: float) -> Outcome:
    compose(*UP, "--scale", "worker-enricher=3", "--scale", "socket-gateway=2")
    session, account = registered()
    channels = live_channels(session)
    streams = [Stream() for _ in range(CLIENTS)]
    try:
        for stream in streams:
            stream.open(SOCKET, account["access_token"])
            stream.subscribe(channels)
        counts = [sockets_of(c) for c in containers("socket-gateway")]
        require(len(counts) == 2 and all(counts), f"sockets on each gateway: {counts}")
        for stream in streams:
            wait(partial(follows, stream, channels), "two states of each channel", _SETTLE_SECONDS)
        time.sleep(seconds)
        seen = [stream.in_order() for stream in streams]
    finally:
        for stream in streams:
            stream.close()
    workers = len(containers("worker-enricher"))
    return [
        f"sockets on the two gateways: {counts[0]} and {counts[1]}; workers: {workers}",
        f"{CLIENTS} clients for {seconds:.0f} s: each seq once, none left out; the first: {seen[0]}",
    ]


def heals(only: str) -> Outcome:
    lines = []
    for listed in containers(*only.split()):
        if not listed["State"]["Running"]:
            continue
        container, name = listed["Id"], service(listed)
        pid = inspected(container)["State"]["Pid"]
        begun = time.monotonic()
        kill(pid)
        wait(partial(is_back, container, pid), f"{name} to heal", _HEAL_SECONDS)
        healed = time.monotonic() - begun
        session, _ = patiently(registered, f"a login after {name} was killed")
        before = patiently(partial(position, session), f"a chain after {name} was killed")
        wait(partial(moved, session, before), f"news after {name} was killed", _SETTLE_SECONDS)
        lines.append(f"{name:<18} healthy after {healed:5.1f} s, news after {time.monotonic() - begun:5.1f} s")
    return lines


def kept() -> Outcome:
    session, account = registered()
    keys = requests.get(KEYS, timeout=10).json()
    path, instant = "/chains/NIFTY", time.time() - HISTORY_SECONDS
    query = {"as_of": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant))}
    before = patiently(lambda: answered(session.get(f"{API}{path}", params=query, timeout=15)), "a chain of the past")
    compose("down", "--timeout", "60")
    require(not containers(), "containers are left after down")
    compose(*UP)
    require(requests.get(KEYS, timeout=10).json() == keys, "the signing keys changed")
    session = logged_in(account)
    after = patiently(lambda: answered(session.get(f"{API}{path}", params=query, timeout=15)), "the chain of before")
    require(after == before, f"the chain of {query['as_of']} is another than before")
    return ["the account logs in", "the signing keys are the same", f"the chain of {query['as_of']} is the same"]


def registered() -> tuple[requests.Session, dict[str, str]]:
    account = {"email": f"compose-{secrets.token_hex(6)}@example.com", "password": secrets.token_urlsafe(18)}
    answered(requests.post(f"{API}/auth/register", json=account, timeout=15))
    session = logged_in(account)
    token = str(session.headers["Authorization"]).removeprefix("Bearer ")
    return session, {**account, "access_token": token}


def logged_in(account: dict[str, str]) -> requests.Session:
    body = {"email": account["email"], "password": account["password"]}
    token = answered(requests.post(f"{API}/auth/login", json=body, timeout=15))["access_token"]
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    return session


def live_channels(session: requests.Session) -> list[str]:
    found = []
    for product in answered(session.get(f"{API}/products", timeout=15))["products"]:
        if product["has_data"]:
            expiries = answered(session.get(f"{API}/products/{product['product']}/expiries", timeout=15))["expiries"]
            found += [f"metrics:{product['product']}:{x['expiry']}" for x in expiries if not x["expired"]]
    return found


def position(session: requests.Session) -> tuple[str, int]:
    """(epoch, seq) of what REST answers now."""
    answer = session.get(f"{API}/chains/NIFTY", timeout=15)
    answered(answer)
    return answer.headers["X-Epoch"], int(answer.headers["X-Seq"])


def moved(session: requests.Session, before: tuple[str, int]) -> bool:
    try:
        return position(session) != before
    except (Failure, requests.RequestException):
        return False


def follows(stream: Stream, channels: list[str]) -> bool:
    return all(stream.holds(channel, 2) for channel in channels)


def answered(answer: requests.Response) -> dict[str, Any]:
    require(answer.ok, f"{answer.url}: {answer.status_code} {answer.text[:200]}")
    body: dict[str, Any] = answer.json()
    return body


def containers(*services: str) -> list[dict[str, Any]]:
    printed = compose("ps", "--all", "--quiet", *services)
    ids = [line for line in printed.split() if len(line) >= 12 and set(line) <= set("0123456789abcdef")]
    found: list[dict[str, Any]] = json.loads(run(*DOCKER, "inspect", *ids)) if ids else []
    return sorted(found, key=service)


def service(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def sockets_of(container: dict[str, Any]) -> int:
    source = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8010/metrics').read().decode())"
    text = run(*DOCKER, "exec", container["Id"], "python", "-c", source)
    return next(int(float(line.split()[1])) for line in text.splitlines() if line.startswith("ws_connections "))


def inspected(container: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*DOCKER, "inspect", container))[0]
    return found


def is_back(container: str, pid: int) -> bool:
    state = inspected(container)["State"]
    health = state.get("Health", {}).get("Status", "healthy")
    return bool(state["Running"] and state["Pid"] != pid and health == "healthy")


def kill(pid: int) -> None:
    run(*([] if os.geteuid() == 0 else ["sudo", "--non-interactive"]), "kill", "-9", str(pid))


def patiently(attempt: Callable[[], T], what: str) -> T:
    until = time.monotonic() + _SETTLE_SECONDS
    while True:
        try:
            return attempt()
        except (Failure, requests.RequestException) as error:
            if time.monotonic() > until:
                raise Failure(f"waited in vain for {what}: {error}") from error
            time.sleep(0.2)


def wait(condition: Callable[[], object], what: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        require(time.monotonic() < until, f"waited in vain for {what}")
        time.sleep(0.1)


def compose(*arguments: str) -> str:
    return run(*COMPOSE, *arguments)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    require(done.returncode == 0, f"{shlex.join(command)[:120]} ended with {done.returncode}: {done.stderr[-400:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
