"""Handshakes that mean harm: none is waited for long, and who is quick gets in."""

import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attack
import pytest
import requests
from attack import HEAD, PATIENCE_SECONDS, UPGRADE, Victim, closing


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, stack: Any) -> Iterator[Any]:
    with attack.impatient(stack, Path(tmp_path_factory.mktemp("hostile"))) as running:
        yield running


@pytest.fixture
def victim(impatient: Any) -> Iterator[Victim]:
    with attack.attacked(impatient) as victim:
        yield victim


def test_slow_handshakes_hold_nothing_up(
    victim: Victim, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """1,200 connections that send a head byte by byte: more than are waited for, and each for a short time only."""
    late, crowded = victim.count("too_slow"), victim.count("crowded_out")
    began = time.monotonic()
    trickling = {connection.fileno(): connection for connection in (victim.dial(HEAD) for _ in range(1_200))}
    poll = select.epoll()
    for number, connection in trickling.items():
        connection.setblocking(False)
        poll.register(number, select.EPOLLIN)
    grown, position, joined = 0.0, 0, False
    while trickling:
        assert time.monotonic() - began < PATIENCE_SECONDS + 15
        for number, _ in poll.poll(0.05):  # closed by the server
            poll.unregister(number)
            trickling.pop(number).close()
        for connection in trickling.values():
            try:
                connection.send(b"X-Slow: aaaaaaaa\r\n"[position % 18 : position % 18 + 1])
            except OSError:
                continue
        position += 1
        grown = max(grown, victim.grown())
        if not joined and len(trickling) > 100:
            joined = True
            asked = time.monotonic()
            assert requests.get(f"{victim.stack.gateway.url}/livez", timeout=5).status_code == 200
            with victim.stack.connected() as raw:
                assert raw.subscribe("status")["ok"]
            assert time.monotonic() - asked < 3, "who is quick gets in"
    poll.close()
    assert joined
    assert (victim.count("too_slow") - late) + (victim.count("crowded_out") - crowded) == 1_200
    assert victim.count("crowded_out") - crowded >= 150
    record_testsuite_property("slow_handshakes_grew_mb", round(grown, 1))
    assert grown < 100


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"x" * 5_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (HEAD + b"X-Long: " + b"x" * 9_000 + b"\r\n\r\n", b"400"),
        (HEAD + b"".join(b"X-%d: %s\r\n" % (number, b"x" * 500) for number in range(40)) + b"\r\n", b"400"),
        (HEAD + b"no colon here\r\n\r\n", b"400"),
        (HEAD + UPGRADE.replace(b"13", b"8") + b"\r\n", b"400"),
        (HEAD + UPGRADE.replace(b"MDEyMzQ1Njc4OWFiY2RlZg==", b"short") + b"\r\n", b"400"),
        (HEAD.replace(b"EIO=4", b"EIO=3") + UPGRADE + b"\r\n", b"400"),
        (HEAD.replace(b"EIO=4", b"EIO=4&sid=nobody") + UPGRADE + b"\r\n", b"400"),
        (b"POST" + HEAD[3:] + b"Content-Length: 99999999\r\n" + UPGRADE + b"\r\n", b"400"),
    ],
)
def test_bad_heads_are_answered(victim: Victim, head: bytes, status: bytes) -> None:
    _, answer = closing(victim.dial(head))
    assert (answer[:7], answer[9:12]) == (b"HTTP/1.", status), answer[:100]
    assert b"Traceback" not in answer


def test_what_is_no_http_at_all_is_closed(victim: Victim) -> None:
    for noise in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" + b"\x00" * 400 + b"\r\n", b"\x00" * 5_000, b"\r\n" * 10):
        _, answer = closing(victim.dial(noise))
        assert b"Traceback" not in answer


def test_a_body_is_not_waited_for(victim: Victim) -> None:
    began = time.monotonic()
    connection = victim.dial(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
    _, answer = closing(connection)
    assert answer.startswith(b"HTTP/1.1 405")
    assert time.monotonic() - began < 2
