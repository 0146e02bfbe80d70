"""A session that has ended is refused here too, where storage knows a Redis."""

import time
from pathlib import Path

import redis
import requests

from aro.adapters.revocations import announce
from aro.testing.eventually import eventually
from aro.testing.issuer import Issuer
from aro.testing.servers import MongoServer, RedisServer
from aro.testing.services import HttpService


def test_a_token_of_an_ended_session_is_refused(
    tmp_path: Path, mongo_server: MongoServer, redis_server: RedisServer, redis_client: redis.Redis, issuer: Issuer
) -> None:
    service = HttpService(
        "storage_service",
        tmp_path,
        {
            "ARO_MONGO_URL": mongo_server.url,
            "ARO_MONGO_DATABASE": "aro_storage_sessions_test",
            "ARO_JWKS_URL": issuer.jwks_url,
            "ARO_REDIS_URL": redis_server.url,
        },
    )

    def ask(session: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {issuer.token(session=session)}"}
        return requests.get(f"{service.url}/api/v1/products", headers=headers, timeout=5)

    try:
        service.start()
        assert ask("ends").status_code == 200
        announce(redis_client, "ends", now=time.time())
        eventually(lambda: ask("ends").json().get("code") == "token_revoked", "the refusal", seconds=5)
        assert ask("lives").status_code == 200
    finally:
        service.kill()
