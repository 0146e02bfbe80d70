"""A session that ends takes its sockets with it, and nobody else's."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aro.adapters import revocations
from aro.testing.eventually import eventually


def end(stack: Any, session: str) -> None:
    revocations.announce(stack.client, session, now=time.time())


@contextmanager
def connected(stack: Any, session: str, subject: str = "user-1") -> Iterator[Any]:
    with stack.raw() as raw:
        assert raw.connect(stack.auth.issuer.issue(subject, "user", session=session))[0] == "connect"
        yield raw


def test_sockets_of_an_ended_session_are_closed_within_a_second(stack: Any) -> None:
    with connected(stack, "ends") as first, connected(stack, "ends") as second, connected(stack, "stays") as other:
        before = time.monotonic()
        end(stack, "ends")
        for raw in (first, second):
            assert raw.next_of("error")["code"] == "token_revoked"
            raw.until(lambda name, _: name == "disconnect")
            raw.until_closed()
        assert time.monotonic() - before < 1
        assert other.subscribe("status")["ok"]
        with stack.raw() as late:
            kind, payload = late.connect(stack.auth.issuer.issue("user-1", "user", session="ends"))
        assert (kind, payload["data"]["code"]) == ("refused", "token_revoked")
    eventually(lambda: stack.gateway.metric("ws_disconnects_total", reason="token_revoked") >= 2, "them to be counted")


def test_a_living_socket_cannot_go_over_to_an_ended_session(stack: Any) -> None:
    end(stack, "ended-before")
    with connected(stack, "lives") as raw:
        token = stack.auth.issuer.issue("user-1", "user", session="ended-before")

        def is_refused() -> bool:
            answer = raw.call("auth", {"token": token})
            return bool(answer.get("error", {}).get("code") == "token_revoked")

        eventually(is_refused, "the ended session to be known")
        assert raw.subscribe("status")["ok"]


def test_a_socket_that_went_over_to_another_session_outlives_the_first(stack: Any) -> None:
    with connected(stack, "first") as raw, connected(stack, "first") as witness:
        assert raw.call("auth", {"token": stack.auth.issuer.issue("user-1", "user", session="second")})["ok"]
        end(stack, "first")
        witness.until_closed()
        assert raw.subscribe("status")["ok"]


def test_what_ended_while_redis_was_away_is_closed_when_it_is_back(make_stack: Callable[..., Any]) -> None:
    stack = make_stack()
    with connected(stack, "ends") as raw, connected(stack, "stays") as other:
        stack.redis.kill()
        assert raw.subscribe("status")["ok"]  # market data fails open
        stack.redis.start()
        eventually(lambda: end(stack, "ends") is None, "redis to take it", seconds=10)
        raw.until_closed(seconds=10)
        assert other.subscribe("status")["ok"]


def test_a_token_that_may_not_read_is_refused(stack: Any) -> None:
    with stack.raw() as raw:
        kind, payload = raw.connect(stack.auth.issuer.issue("user-1", "user", scopes=frozenset({"write"})))
        assert (kind, payload["data"]["code"]) == ("refused", "forbidden")
        kind, _ = raw.connect(stack.auth.issuer.issue("user-1", "user", scopes=frozenset({"read"})))
        assert kind == "connect"
