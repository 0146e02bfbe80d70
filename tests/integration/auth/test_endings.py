"""What auth ends reaches everybody, with Redis there, away, or forgetful."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from aro.adapters.revocations import MEMORY_SECONDS, Revocations
from aro.adapters.tokens import Principal
from aro.contracts.names import KEY_REVOKED
from aro.contracts.problems import TokenRevoked
from aro.testing.eventually import eventually
from aro.testing.servers import MongoServer, RedisServer


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def linked(make_api: Callable[..., Any], own_redis: RedisServer) -> Any:
    return make_api({"ARO_REDIS_URL": own_redis.url})


@pytest.fixture
def copy(own_redis: RedisServer) -> Iterator[Revocations]:
    """What a gateway holds."""
    client = own_redis.client()
    running = Revocations(client)
    running.start()
    eventually(running.is_current, "the copy to be loaded")
    yield running
    running.stop()


def sid(token: str) -> str:
    return str(jwt.decode(token, options={"verify_signature": False})["sid"])


def is_refused(copy: Revocations, session: str) -> bool:
    try:
        copy.refuse(Principal("somebody", "user", "jti", 0, session))
    except TokenRevoked:
        return True
    return False


def test_every_way_to_end_is_announced_within_a_second(linked: Any, copy: Revocations) -> None:
    person = linked.person()
    here = person.pair()["access_token"]

    def ended_by(act: Callable[[str], Any]) -> None:
        token = person.pair()["access_token"]
        session = sid(token)
        assert act(token).status_code in (200, 204)
        started = time.monotonic()
        eventually(lambda: is_refused(copy, session), "the end to be announced", interval=0.005)
        assert time.monotonic() - started < 1

    ended_by(lambda token: linked.post("/logout", token=token))
    ended_by(lambda token: linked.delete(f"/sessions/{sid(token)}", here))
    body = {"current_password": "correct horse", "new_password": "correct horse 2"}
    ended_by(lambda _: linked.post("/change-password", body, here))
    person.pair = lambda: person.login(password="correct horse 2").json()
    ended_by(lambda _: linked.post("/logout-all", token=here))
    # Reuse: the third showing of a token that was rotated twice.
    tokens = person.pair()
    after = linked.refresh(linked.refresh(tokens["refresh_token"]).json()["refresh_token"]).json()
    assert linked.refresh(tokens["refresh_token"]).status_code == 401
    eventually(lambda: is_refused(copy, sid(after["access_token"])), "the reuse to be announced")
    # A personal token is a session of its own.
    personal = linked.post("/tokens", {"name": "script"}, person.pair()["access_token"]).json()
    assert linked.delete(f"/tokens/{personal['id']}", person.pair()["access_token"]).status_code == 204
    eventually(lambda: is_refused(copy, personal["id"]), "the personal token's end to be announced")


def test_a_redis_that_lost_it_is_told_again(linked: Any, own_redis: RedisServer) -> None:
    token = linked.person().token()
    linked.post("/logout", token=token)
    client = own_redis.client()
    assert client.zscore(KEY_REVOKED, sid(token)) is not None
    client.flushall()

    def is_back() -> bool:
        until = client.zscore(KEY_REVOKED, sid(token))
        return until is not None and abs(until - time.time() - MEMORY_SECONDS) < 15

    eventually(is_back, "it to be announced again", seconds=6)
    client.close()


def test_with_redis_away_everything_works_and_is_told_later(linked: Any, own_redis: RedisServer) -> None:
    person = linked.person()
    first = person.pair()
    own_redis.kill()
    pair = person.pair()
    assert linked.refresh(first["refresh_token"]).status_code == 200
    assert linked.register().status_code == 201
    assert linked.post("/tokens", {"name": "script"}, pair["access_token"]).status_code == 201
    started = time.monotonic()
    assert linked.post("/logout", token=pair["access_token"]).status_code == 204
    assert time.monotonic() - started < 3
    # Auth itself asks MongoDB.
    assert linked.get("/me", pair["access_token"]).json()["code"] == "token_revoked"
    assert linked.command("admin", "promote", person.email).returncode == 0
    own_redis.start()
    client = own_redis.client()
    session = sid(pair["access_token"])
    eventually(lambda: client.zscore(KEY_REVOKED, session) is not None, "it to be told later", seconds=10)
    client.close()


def test_with_mongo_away_the_answer_is_unavailable_and_the_keys_are_served(
    make_api: Callable[..., Any], tmp_path: Path
) -> None:
    mongo = MongoServer(tmp_path / "mongo")
    mongo.start()
    api = make_api(mongo_url=mongo.url)
    try:
        person = api.person()
        pair = person.pair()
        mongo.kill()
        asked = {
            "login": lambda: person.login(),
            "refresh": lambda: api.refresh(pair["refresh_token"]),
            "me": lambda: api.get("/me", pair["access_token"]),
            "logout": lambda: api.post("/logout", token=pair["access_token"]),
            "exchange": lambda: api.post("/tokens/exchange", token="aro_pat_" + "A" * 43),
        }
        for ask in asked.values():
            answer = ask()
            assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert api.ask("GET", "/../../../.well-known/jwks.json").status_code == 200
        mongo.start()
        eventually(lambda: person.login().status_code == 200, "logins to work again", seconds=20, interval=0.2)
        assert api.refresh(pair["refresh_token"]).status_code == 200
    finally:
        mongo.kill()
