"""Keys change while tokens are made and verified, and nobody notices."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from aro.testing.eventually import eventually
from aro.testing.services import HttpService
from auth_service.keys import NEXT_FILE, PUBLISHED_SECONDS


@pytest.fixture
def verifying(make_api: Callable[..., Any], tmp_path: Path) -> Iterator[tuple[Any, HttpService]]:
    """An auth service, and a storage service that verifies its tokens."""
    api = make_api({"ARO_LOGIN_FAILURES": "1000"})
    settings = {
        "ARO_MONGO_URL": api.service.settings["ARO_MONGO_URL"],
        "ARO_MONGO_DATABASE": api.service.settings["ARO_MONGO_DATABASE"],
        "ARO_JWKS_URL": f"{api.service.url}/.well-known/jwks.json",
    }
    storage = HttpService("storage_service", tmp_path / "storage", settings)
    storage.start()
    yield api, storage
    storage.kill()


def kid(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def publish_long_ago(api: Any) -> None:
    """As if the next key had been there for an hour."""
    path = Path(api.service.settings["ARO_AUTH_KEY_DIR"]) / NEXT_FILE
    os.utime(path, (time.time() - PUBLISHED_SECONDS - 1,) * 2)


def keys(api: Any) -> list[str]:
    document = requests.get(f"{api.service.url}/.well-known/jwks.json", timeout=5).json()
    return [entry["kid"] for entry in document["keys"]]


def test_rotation_under_load(verifying: tuple[Any, HttpService]) -> None:
    """Four clients log in, refresh, and ask a verifying service throughout; two rotations happen meanwhile."""
    api, storage = verifying
    products = f"{storage.url}/api/v1/products"
    persons = [api.person() for _ in range(4)]
    seen: Counter[tuple[str, int]] = Counter()
    used: set[str] = set()
    is_over = threading.Event()

    def asks(token: str) -> None:
        answer = requests.get(products, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        seen["products", answer.status_code] += 1

    def live(person: Any) -> None:
        pair = person.pair()
        oldest = pair["access_token"]
        while not is_over.is_set():
            answer = api.refresh(pair["refresh_token"])
            seen["refresh", answer.status_code] += 1
            pair = answer.json()
            used.add(kid(pair["access_token"]))
            for token in (pair["access_token"], oldest):
                asks(token)
                seen["me", api.get("/me", token).status_code] += 1

    asks(persons[0].token())  # from now on storage has a copy of the key set, for an hour
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(live, person) for person in persons]
        try:
            first = keys(api)
            eventually(lambda: seen["refresh", 200] > 20, "some traffic")
            refused = api.command("keys", "rotate")
            assert refused.returncode == 1
            assert "verifiers keep what they know" in refused.stderr
            publish_long_ago(api)
            rotated = api.process("keys", "rotate")
            assert rotated.returncode == 0
            assert rotated.stdout.splitlines()[0] == f"current  {first[1]}"
            eventually(lambda: first[1] in used, "the next key to be used")
            before = seen["products", 200]
            eventually(lambda: seen["products", 200] > before + 20, "traffic on the new key")
        finally:
            is_over.set()
        for future in running:
            future.result(20)
    assert {status for _, status in seen} == {200}, seen
    assert used == {first[0], first[1]}
    assert keys(api)[0] == first[1]
    assert keys(api)[2:] == [first[0]]
    listed = api.command("keys", "list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["current", "next", "retired"]


def test_a_verifier_that_starts_after_the_rotation_takes_both_keys(
    verifying: tuple[Any, HttpService], tmp_path: Path
) -> None:
    api, storage = verifying
    person = api.person()
    old = person.token()
    publish_long_ago(api)
    assert api.command("keys", "rotate").returncode == 0
    eventually(lambda: kid(person.token()) != kid(old), "the next key to be used", interval=0.2)
    storage.restart()
    for token in (old, person.token()):
        headers = {"Authorization": f"Bearer {token}"}
        assert requests.get(f"{storage.url}/api/v1/products", headers=headers, timeout=5).status_code == 200


def test_a_restart_keeps_the_keys_and_the_sessions(make_api: Callable[..., Any]) -> None:
    api = make_api()
    person = api.person()
    pair = person.pair()
    before = keys(api)
    api.service.restart()
    assert keys(api) == before
    assert api.get("/me", pair["access_token"]).status_code == 200
    assert api.refresh(pair["refresh_token"]).status_code == 200
