"""Who gets in, and the code that says why not."""

from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from aro.testing.eventually import eventually
from aro.testing.servers import free_port


def refusal(raw: Any, token: Any = None, namespace: str = "/v1") -> str:
    kind, payload = raw.connect(token, namespace)
    assert kind == "refused", payload
    assert payload["message"] == payload["data"]["detail"]
    code: str = payload["data"]["code"]
    return code


def test_refused_without_a_good_token(stack: Any) -> None:
    tokens = {
        "token_missing": [None, ""],
        "token_expired": [stack.auth.token(lifetime=-60), stack.auth.token(lifetime=-26)],
        "token_invalid": [
            stack.auth.forger.issue("user-1", "user"),
            stack.auth.token()[:-4] + "AAAA",
            "garbage",
            17,
            "x" * 5_000,
            jwt.encode({"sub": "user-1"}, "k" * 32, algorithm="HS256"),
        ],
    }
    with stack.raw() as raw:
        codes = {code: [refusal(raw, token) for token in group] for code, group in tokens.items()}
        assert codes == {code: [code] * len(group) for code, group in tokens.items()}
        # The same connection may still do better.
        assert raw.connect(stack.auth.token())[0] == "connect"


@pytest.mark.parametrize("namespace", ["/", "/v2", "/admin"])
def test_other_namespaces_are_refused_with_a_hint(stack: Any, namespace: str) -> None:
    with stack.raw() as raw:
        assert refusal(raw, stack.auth.token(), namespace) == "wrong_namespace"
        assert "/v1" in raw.seen[-1][1]["message"]
    assert stack.gateway.metric("ws_connects_total", result="wrong_namespace") > 0


def test_compression_is_not_negotiated(stack: Any) -> None:
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
    wire = stack.wire(**offer)
    assert "sec-websocket-extensions" not in wire.headers
    wire.close()


def test_long_polling_does_not_exist(stack: Any) -> None:
    answer = requests.get(f"{stack.gateway.url}/socket.io/?EIO=4&transport=polling", timeout=5)
    assert answer.status_code == 400


def status(stack: Any, gateway: Any = None, **headers: str) -> int:
    """What a handshake with these headers is answered."""
    try:
        stack.wire(gateway, **headers).close()
    except stack.refused as refusal:
        found: int = refusal.status
        return found
    return 101


def test_a_web_page_of_another_origin_is_refused(stack: Any) -> None:
    before = stack.gateway.metric("ws_connects_total", result="origin_forbidden")
    for origin in ("https://evil.example", "null", stack.gateway.url + "0", stack.gateway.url + "/"):
        assert status(stack, Origin=origin) == 403
    assert status(stack, Origin=stack.gateway.url) == 101
    assert stack.gateway.metric("ws_connects_total", result="origin_forbidden") == before + 4


def test_behind_a_proxy_the_own_origin_is_the_proxys(stack: Any) -> None:
    """As the balancer passes Host on, port and all, and as an ingress that ends TLS says whom it was asked for."""
    assert status(stack, Host="market.example:8443", Origin="http://market.example:8443") == 101
    assert status(stack, Host="market.example:8443", Origin="http://market.example") == 403
    tls = {"Host": "market.example", "X-Forwarded-Proto": "https"}
    assert status(stack, **tls, Origin="https://market.example") == 101
    assert status(stack, **tls, Origin="https://market.example:444") == 403
    inside = {"Host": "socket-gateway:8010", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "market.example"}
    assert status(stack, **inside, Origin="https://market.example") == 101
    assert status(stack, **inside, Origin="https://evil.example") == 403


def test_without_keys_sockets_are_told_to_retry_until_there_are_some(stack: Any, tmp_path: Path) -> None:
    """Official clients stay away after a ``connect_error``, but come back after HTTP 503."""
    port = free_port()
    gateway = type(stack.gateway)(tmp_path, stack.redis.url, f"http://127.0.0.1:{port}", wait_for="/livez")
    gateway.start()
    try:
        assert not gateway.is_ready()
        assert status(stack, gateway) == 503
        late = type(stack.auth)(port)
        try:
            eventually(gateway.is_ready, "the keys to be fetched")
        finally:
            late.close()
        assert status(stack, gateway) == 101, "keys that were fetched once do"
    finally:
        gateway.kill()


def test_before_redis_is_followed_sockets_are_told_to_retry(stack: Any, tmp_path: Path) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    gateway = type(stack.gateway)(tmp_path, nowhere, stack.auth.url, wait_for="/livez")
    gateway.start()
    try:
        assert not gateway.is_ready()
        with pytest.raises(stack.refused) as caught:
            stack.wire(gateway)
        assert caught.value.status == 503
        assert int(caught.value.headers["retry-after"]) >= 1
    finally:
        gateway.kill()


def test_a_token_is_asked_for_before_it_expires_and_can_be_renewed(stack: Any) -> None:
    token = stack.auth.token(lifetime=-23)
    with stack.raw() as renewed, stack.raw() as left_alone:
        for raw in (renewed, left_alone):
            assert raw.connect(token)[0] == "connect"
            assert raw.next_of("auth_expiring")["expires_ts"] > 0
        answer = renewed.call("auth", {"token": stack.auth.token(lifetime=600)})
        assert answer["ok"] is True
        # When the old token's grace is over, only one of them is closed.
        assert left_alone.next_of("error")["code"] == "token_expired"
        left_alone.until(lambda name, _: name == "disconnect")
        left_alone.until_closed()
        assert renewed.subscribe("status")["ok"]
    eventually(lambda: stack.gateway.metric("ws_disconnects_total", reason="token_expired") >= 1, "it to be counted")


def test_renewal_needs_the_same_account_and_a_good_token(stack: Any) -> None:
    with stack.connected() as raw:
        assert raw.call("auth", {"token": stack.auth.token("user-2")})["error"]["code"] == "forbidden"
        assert raw.next_of("error")["code"] == "forbidden"
        assert raw.call("auth", {"token": stack.auth.token(lifetime=-90)})["error"]["code"] == "token_expired"
        assert raw.call("auth", {"token": ""})["error"]["code"] == "token_missing"
        assert raw.call("auth", {})["error"]["code"] == "invalid_request"
        assert raw.subscribe("status")["ok"]
