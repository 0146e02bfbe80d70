"""What a person copies from must work: smoke, curl, notebook, Postman, clients and sample outputs, on one platform."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio

from aro.adapters.live import LiveReader
from aro.testing.eventually import eventually
from aro.testing.platform import REPLAY, SERVICES, Platform

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
POSTMAN = EXAMPLES / "postman"
OUTPUTS = EXAMPLES / "outputs"
COLLECTION = json.loads((POSTMAN / "option-aro.postman_collection.json").read_text(encoding="utf-8"))
METHODS = {"get", "post", "put", "patch", "delete"}
ADMIN = {"email": "root@example.com", "password": "a password of some length"}

sys.path.insert(0, str(OUTPUTS))
import make  # noqa: E402
import shape  # noqa: E402

sys.path.insert(0, str(POSTMAN))
import build  # noqa: E402

PNG = b"\x89PNG\r\n"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    directory = Path(tmp_path_factory.mktemp("clients"))
    running = Platform(directory, feed_arguments=["--products", "NIFTY,BANKNIFTY", "--seed", "7"])
    try:
        running.start((*SERVICES, REPLAY))
        reader = LiveReader(running.redis.client())
        for channel in ("surface:NIFTY", "bars:NIFTY:1m"):
            eventually(lambda channel=channel: reader.state(channel), f"{channel} to be live", seconds=30)
        yield running
    finally:
        running.stop()


def run(*command: object, environ: Mapping[str, str] = {}, status: int = 0) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("ARO_")}
    done = subprocess.run(
        [str(part) for part in command],
        env={**own, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def document(platform: Platform) -> dict[str, Any]:
    def whole() -> dict[str, Any] | None:
        merged: dict[str, Any] = requests.get(f"{platform.url('api')}/openapi.json", timeout=10).json()
        found = {path.split("/")[3] for path in merged["paths"] if path.startswith("/api/v1/")}
        return merged if found >= {"auth", "chains", "analytics", "logs"} else None

    return eventually(whole, "the documents of all services", seconds=30)


# --- smoke ---------------------------------------------------------------------------------


def test_smoke_holds_for_a_platform_that_runs(platform: Platform) -> None:
    told = run(
        sys.executable, ROOT / "scripts" / "smoke.py", "--api", platform.url("api"), "--socket", platform.url("gateway")
    )
    assert "FAIL" not in told
    for channel in ("chain", "metrics", "surface"):
        assert re.search(rf"^ok +REST = socket: {channel} .* seq \d+$", told, re.MULTILINE)
    assert re.search(r"^all \d+ checks held in ", told, re.MULTILINE)


def test_smoke_says_what_does_not_hold(platform: Platform) -> None:
    smoke = (sys.executable, ROOT / "scripts" / "smoke.py", "--wait", "0.5")
    assert "FAIL both gateways are ready" in run(*smoke, "--api", "http://127.0.0.1:9", status=1)
    urls = ("--api", platform.url("api"), "--socket", platform.url("gateway"))
    assert "FAIL products" in run(*smoke, *urls, "--product", "SPY", status=1)


# --- REST ----------------------------------------------------------------------------------


def test_the_curl_tour_goes_from_account_to_logout(platform: Platform) -> None:
    told = run("bash", EXAMPLES / "rest_tour.sh", environ={"ARO_API_URL": platform.url("api")})
    assert "bytes, the same; with its ETag: 304" in told
    assert "accounts are not for it: 403\nrevoked: 401\n" in told
    assert told.endswith("logged out: 401\n")


def test_the_notebook_plots_a_smile_and_candles(platform: Platform, tmp_path: Path) -> None:
    told = run(
        *(sys.executable, "-W", "error", EXAMPLES / "rest_notebook.py", "--plots", tmp_path),
        environ={"ARO_API_URL": platform.url("api"), "MPLBACKEND": "Agg"},
    )
    assert "personal token aro_pat_" in told
    for name in ("smile.png", "candles.png"):
        assert (tmp_path / name).read_bytes().startswith(PNG)
        assert (tmp_path / name).stat().st_size > 10_000


# --- Postman -------------------------------------------------------------------------------


def requests_of(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if "request" in item:
        yield item["request"]
    for part in item.get("item", ()):
        yield from requests_of(part)


def test_the_collection_asks_every_route_and_no_other(document: dict[str, Any]) -> None:
    """Rebuild it with examples/postman/build.py where this fails."""
    documented = {
        (method.upper(), re.sub(r"{[^}]+}", "*", path.strip("/")))
        for path, operations in document["paths"].items()
        for method in operations.keys() & METHODS
        if path not in build.NOT_ASKED
    }
    fixed = {*build.VALUES.values(), "NOPE"}
    asked = {
        (
            request["method"],
            "/".join("*" if part in fixed or part.startswith("{{") else part for part in request["url"]["path"]),
        )
        for request in requests_of(COLLECTION)
    }
    assert asked == documented


def test_a_route_that_the_tour_does_not_know_is_asked_too(document: dict[str, Any]) -> None:
    unknown = {"get": {"summary": "New.", "responses": {"200": {"description": "new"}}}}
    built = build.collection({**document, "paths": {**document["paths"], "/api/v1/new": unknown}})
    assert [part["name"] for part in built["item"]][-1] == "More"
    assert list(requests_of(built))[-1]["url"]["raw"] == "{{base_url}}/api/v1/new"


def test_newman_runs_the_collection(platform: Platform, newman: Path) -> None:
    created = subprocess.run(
        [sys.executable, "-m", "auth_service", "admin", "create", ADMIN["email"]],
        env={**os.environ, "ARO_MONGO_URL": platform.mongo.url, "ARO_MONGO_DATABASE": "aro_platform_test"},
        input=ADMIN["password"] + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert created.returncode == 0, created.stderr
    report = platform.directory / "newman.json"
    run(
        *("node", newman, "run", POSTMAN / "option-aro.postman_collection.json"),
        *("--environment", POSTMAN / "local.postman_environment.json", "--env-var", f"base_url={platform.url('api')}"),
        *("--env-var", f"admin_email={ADMIN['email']}", "--env-var", f"admin_password={ADMIN['password']}"),
        *("--reporters", "json", "--reporter-json-export", report, "--color", "off"),
    )
    ran = json.loads(report.read_text(encoding="utf-8"))["run"]
    assert ran["failures"] == []
    assert ran["stats"]["requests"]["total"] == len(list(requests_of(COLLECTION)))


@pytest.fixture(scope="module")
def newman(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """newman's program, as locked: what is installed beside the collection, else installed for this run."""
    if not shutil.which("npm"):
        pytest.skip("npm is not on PATH: newman cannot be run")
    folder = POSTMAN
    if not (folder / "node_modules" / "newman").is_dir():
        folder = tmp_path_factory.mktemp("newman")
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(POSTMAN / name, folder)
        installed = subprocess.run(
            ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if installed.returncode != 0:
            pytest.skip(f"newman cannot be installed: {installed.stderr.strip()[-200:]}")
    return folder / "node_modules" / "newman" / "bin" / "newman.js"


# --- clients -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def account(platform: Platform) -> dict[str, str]:
    """What the clients log in with, in the variables that they read; through the api-gateway."""
    person = {"email": "client@example.com", "password": "quite a long password"}
    answer = requests.post(f"{platform.url('api')}/api/v1/auth/register", json=person, timeout=10)
    assert answer.status_code == 201, answer.text
    return {
        "ARO_EMAIL": person["email"],
        "ARO_PASSWORD": person["password"],
        "ARO_AUTH_URL": platform.url("api"),
        "ARO_GATEWAY_URL": platform.url("gateway"),
    }


def test_the_python_client_follows_channels(account: dict[str, str]) -> None:
    told = run(sys.executable, EXAMPLES / "subscribe.py", "--seconds", "3", "ticks:NIFTY", environ=account)
    lines = re.findall(r"ticks:NIFTY +price ([\d.]+) +#(\d+)$", told, re.MULTILINE)
    numbers = [int(seq) for _, seq in lines]
    assert len(numbers) >= 2
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_the_javascript_client_follows_channels(account: dict[str, str]) -> None:
    if not (ROOT / "scripts" / "node_modules" / "socket.io-client").is_dir():
        pytest.skip("packages of scripts/package.json are not installed: there is no Node.js client to try")
    told = run("node", ROOT / "scripts" / "subscribe-example.js", "--count", "8", "--seconds", "20", environ=account)
    assert "ATM IV" in told.splitlines()[0]
    assert re.search(r"^[\d:.]{12} NIFTY ", told, re.MULTILINE)
    assert re.search(r"^[\d:.]{12} BANKNIFTY ", told, re.MULTILINE)


def test_a_few_lines_are_enough_for_a_stream(platform: Platform, tmp_path: Path) -> None:
    source = (EXAMPLES / "stream.py").read_text(encoding="utf-8")
    code = [line for line in source.split('"""')[2].splitlines() if line.strip()]
    assert len(code) <= 15
    here = tmp_path / "stream.py"
    here.write_text(
        source.replace("http://127.0.0.1:8000", platform.url("api"))
        .replace("http://127.0.0.1:8010", platform.url("gateway"))
        .replace("while True:", "for _ in range(6):")  # heartbeats come in between, and are not shown
        + "stream.disconnect()\n",
        encoding="utf-8",
    )
    first, *others = run(sys.executable, here).splitlines()
    assert first.startswith("snapshot ")
    assert len(others) >= 3
    assert {line.split()[0] for line in others} == {"update"}


# --- outputs -------------------------------------------------------------------------------


def sample(name: str) -> Any:
    text = (OUTPUTS / name).read_text(encoding="utf-8")
    return json.loads(text) if name.endswith(".json") else text


def test_answers_look_like_their_samples(platform: Platform) -> None:
    asked = make.asked(platform.url("api"))
    assert asked.keys() == {f"rest/{path.name}" for path in (OUTPUTS / "rest").iterdir()}
    for name, value in asked.items():
        expected = sample(name)
        assert (value["status"], value["content_type"]) == (expected["status"], expected["content_type"]), name
        assert list(shape.differences(expected["body"], value["body"])) == [], name
        assert list(shape.wrong_units(value["body"])) == [], name
    for name in ("tick", "chain", "metrics", "surface"):
        fixed = sample(f"{name}.json")
        live = asked[f"rest/{name}.json"]["body"]
        assert list(shape.differences(fixed, live)) == [], name


def test_a_socket_says_what_its_sample_says(platform: Platform, account: dict[str, str]) -> None:
    person = {"email": account["ARO_EMAIL"], "password": account["ARO_PASSWORD"]}
    answer = requests.post(f"{platform.url('api')}/api/v1/auth/login", json=person, timeout=10).json()
    heard: dict[str, dict[str, Any]] = {}
    client = socketio.Client(reconnection=False)
    for name in ("snapshot", "update", "heartbeat"):
        client.on(
            name,
            lambda message, name=name: heard.setdefault(f"{name} {message.get('channel', '').split(':')[0]}", message),
            namespace="/v1",
        )
    conversation = sample("socket.json")
    expiry = requests.get(
        f"{platform.url('api')}/api/v1/products/NIFTY/expiries",
        headers={"Authorization": f"Bearer {answer['access_token']}"},
        timeout=10,
    ).json()["expiries"][-1]["expiry"]
    asked = [re.sub(r"\d{4}-\d\d-\d\d", expiry, channel) for channel in conversation[0]["payload"]["channels"]]
    client.connect(
        platform.url("gateway"), namespaces=["/v1"], transports=["websocket"], auth={"token": answer["access_token"]}
    )
    try:
        ack = client.call("subscribe", {"channels": asked}, namespace="/v1", timeout=10)
        wanted = {
            f"{item['server']} {item['payload'].get('channel', '').split(':')[0]}": item["payload"]
            for item in conversation[2:]
        }
        eventually(lambda: wanted.keys() <= heard.keys(), "every message of the sample", seconds=15)
    finally:
        client.disconnect()
    assert list(shape.differences(conversation[1]["payload"], ack)) == []
    assert [item["code"] for item in ack["rejected"]] == ["unknown_product"]
    for name, expected in wanted.items():
        assert list(shape.differences(expected, heard[name])) == [], name
