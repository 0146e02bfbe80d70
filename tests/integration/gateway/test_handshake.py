"""Who gets in, and the code that says why not."""

from collections.abc import Callable
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


def test_a_web_page_of_another_origin_is_refused(stack: Any) -> None:
    with pytest.raises(stack.refused) as caught:
        stack.wire(Origin="https://evil.example")
    assert caught.value.status == 400
    stack.wire(Origin=stack.gateway.url).close()


def test_without_keys_the_answer_is_unavailable_until_there_are_some(make_stack: Callable[..., Any]) -> None:
    port = free_port()
    stack = make_stack(ARO_JWKS_URL=f"http://127.0.0.1:{port}/jwks.json")
    with stack.raw() as raw:
        assert refusal(raw, stack.auth.token()) == "service_unavailable"
        late = type(stack.auth)(port)
        try:
            eventually(lambda: raw.connect(late.token())[0] == "connect", "the keys to be fetched", interval=0.2)
        finally:
            late.close()


def test_before_redis_is_followed_sockets_are_told_to_retry(make_stack: Callable[..., Any], tmp_path: Path) -> None:
    stack = make_stack()
    gateway = type(stack.gateway)(
        tmp_path / "cold", f"redis://127.0.0.1:{free_port()}/0", stack.auth.url, ARO_LOG_LEVEL="WARNING"
    )
    super(type(gateway), gateway).start()
    try:
        eventually(lambda: _status(f"{gateway.url}/livez") == 200, "the cold gateway to live")
        assert _status(f"{gateway.url}/readyz") == 503
        with pytest.raises(stack.refused) as caught:
            stack.wire(gateway)
        assert caught.value.status == 503
        assert int(caught.value.headers["retry-after"]) >= 1
    finally:
        gateway.kill()


def _status(url: str) -> int:
    try:
        return requests.get(url, timeout=2).status_code
    except requests.RequestException:
        return 0


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
