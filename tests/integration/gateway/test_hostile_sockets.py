"""Sockets that mean harm: memory stays bounded, each is ended with a code that says why, and the good do not notice."""

import json
import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attack
import pytest
from attack import MB, PATIENCE_SECONDS, Victim, closing, masked

PROTOCOL_ERROR, TOO_BIG = 1002, 1009


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, stack: Any) -> Iterator[Any]:
    with attack.impatient(stack, Path(tmp_path_factory.mktemp("hostile"))) as running:
        yield running


@pytest.fixture
def victim(impatient: Any) -> Iterator[Victim]:
    with attack.attacked(impatient) as victim:
        yield victim


GIANT = struct.pack("!BBQ", 0x82, 0xFF, 1 << 62) + bytes(4)


@pytest.mark.parametrize(
    ("frames", "status"),
    [
        pytest.param(b"\x81\x05hello", PROTOCOL_ERROR, id="unmasked"),
        pytest.param(masked(b"x", 0xC1), PROTOCOL_ERROR, id="reserved bit"),
        pytest.param(masked(b"x", 0x83), PROTOCOL_ERROR, id="unknown opcode"),
        pytest.param(masked(b"x", 0x80), PROTOCOL_ERROR, id="continuation of nothing"),
        pytest.param(masked(b"4", 0x01) + masked(b"4"), PROTOCOL_ERROR, id="a message inside another"),
        pytest.param(masked(b"", 0x09), PROTOCOL_ERROR, id="fragmented ping"),
        pytest.param(masked(b"x" * 126, 0x89), PROTOCOL_ERROR, id="ping of 126 bytes"),
        pytest.param(b"\xff" * 600, PROTOCOL_ERROR, id="noise"),
        pytest.param(GIANT + b"x" * 5_000, TOO_BIG, id="a frame of 4 EB"),
        pytest.param(masked(b"4" + b"x" * 16_384), TOO_BIG, id="a byte too many"),
        pytest.param(masked(b"4" * 9_000, 0x01) + masked(b"4" * 9_000, 0x00), TOO_BIG, id="fragments too long"),
        pytest.param(masked(b"4", 0x01) + masked(b"4", 0x00) * 100, TOO_BIG, id="fragments without end"),
        pytest.param(masked(b"", 0x01) + masked(b"", 0x00) * 100, TOO_BIG, id="empty fragments without end"),
        pytest.param(masked(b"\xff\xfe"), None, id="not UTF-8"),
        pytest.param(masked(b"7"), None, id="unknown Engine.IO packet"),
        pytest.param(masked(b"", 0x82), None, id="empty binary"),
    ],
)
def test_broken_frames_end_the_connection(victim: Victim, frames: bytes, status: int | None) -> None:
    connection = victim.open()
    connection.sendall(frames)
    said, _ = closing(connection)
    assert said == status if status is not None else said is not None


def test_fragments_that_grow_are_not_kept(victim: Victim) -> None:
    """200 connections, each with as much of an unfinished message and frame as is taken."""
    connections = [victim.open() for _ in range(200)]
    for connection in connections:
        connection.sendall(masked(b"4" * 8_000, 0x01) + masked(b"4" * 8_000, 0x00)[:-1])
    assert victim.grown() < 200 * 64 / 1024 + 20
    for connection in connections:
        closing(connection, PATIENCE_SECONDS + 5)


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(masked(b"", 0x89), id="pings"),
        pytest.param(masked(b"x" * 125, 0x89), id="long pings"),
        pytest.param(masked(b"", 0x8A), id="pongs"),
        pytest.param(masked(b"3"), id="pongs of Engine.IO"),
        pytest.param(masked(b"5"), id="upgrades"),
        pytest.param(masked(b'42/v1,["subscribe",{"channels":["status"]}]'), id="subscriptions"),
        pytest.param(masked(b"40/v2,"), id="namespaces"),
    ],
)
def test_floods_are_cut_off(victim: Victim, flood: bytes) -> None:
    busy = sum(victim.process.cpu_times()[:2])
    connection = victim.admitted("flooder")
    sent, answer = flood * (4 * MB // len(flood)), b""
    connection.setblocking(False)
    deadline = time.monotonic() + 8
    position, is_open = 0, True
    while is_open and time.monotonic() < deadline:
        readable, writable, _ = select.select([connection], [connection], [], 1)
        try:
            if writable:
                position += connection.send(sent[position : position + 65_536] or flood)
            if readable:
                more = connection.recv(1 << 16)
                answer += more
                is_open = bool(more)
        except (ConnectionResetError, BrokenPipeError):
            is_open = False
    connection.close()
    assert not is_open
    assert b'"code":"rate_limited"' in answer
    assert answer.count(b"\x8a") < 300, "pings beyond the limit are not answered"
    assert victim.grown() < 30
    assert sum(victim.process.cpu_times()[:2]) - busy < 5


def test_crumbs_are_counted(victim: Victim) -> None:
    """One byte at a time, the largest message that is taken would be 16,000 pieces."""
    connection = victim.admitted("crumbs")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(0.002)
    message, answer, sent = masked(b"4" * 16_000), b"", 0
    try:
        for at in range(len(message)):
            connection.send(message[at : at + 1])
            sent += 1
            if select.select([connection], [], [], 0.001)[0]:
                more = connection.recv(4096)
                answer += more
                if not more:
                    break
    except (ConnectionResetError, BrokenPipeError):
        pass
    connection.close()
    assert b"rate_limited" in answer
    assert 500 < sent < 3_000


def test_10_000_subscriptions(victim: Victim) -> None:
    many = [f"chain:NIFTY:2030-02-{day:02}" for day in range(1, 29)] * 400
    text = b"42/v1," + json.dumps(["subscribe", {"channels": many}]).encode()
    connection = victim.admitted("greedy")
    connection.sendall(struct.pack("!BBQ", 0x81, 0xFF, len(text)) + bytes(4) + text[:20_000])
    assert closing(connection)[0] == TOO_BIG
    with victim.stack.connected("greedy") as raw:
        answers: Counter[str] = Counter()
        for number in range(118):
            answer = raw.subscribe(*(f"chain:NIFTY:20{number % 70 + 30}-02-{day:02}" for day in range(1, 29)))
            answers.update(entry["code"] for entry in answer["rejected"])
        assert answers == {"unknown_expiry": 118 * 28}, "what does not exist costs no memory"
    assert victim.grown() < 20


def test_packets_before_connect_do_nothing(victim: Victim) -> None:
    with victim.stack.raw() as raw:
        for packet in ('42/v1,["subscribe",{"channels":["status"]}]', '42/v1,7["auth",{"token":"x"}]', "41/v1,", "41"):
            raw.send_text(packet)
        kind, _ = raw.connect(victim.stack.auth.token("late"))
        assert kind == "connect"
        assert [name for name, _ in raw.seen] == ["connect"], "nothing was answered before"


def test_strangers_have_few_tries(victim: Victim) -> None:
    """Each try costs the check of a signature."""
    refused = victim.count("wrong_namespace")
    with victim.stack.raw() as raw:
        for number in range(30):
            raw.send_text(f"40/n{number},")
        raw.until_closed()
    assert victim.count("wrong_namespace") - refused == 16


def test_sessions_that_were_refused_leave_nothing(victim: Victim) -> None:
    """10,000 refused namespaces of admitted and unknown clients."""
    grown = []
    for _ in range(4):
        with ExitStack() as opened:
            for number in range(25):
                raw = opened.enter_context(victim.stack.connected(f"many-{number}"))
                for name in range(100):
                    raw.send_text(f"40/n{name},")
                for _ in range(100):
                    assert raw.until(lambda kind, _: kind == "refused")
        grown.append(victim.grown())
    assert grown[-1] - grown[0] < 5, f"MB after each 2,500: {grown}"


def test_who_says_nothing_is_closed(victim: Victim) -> None:
    silent = victim.count("not_admitted")
    connections = [victim.open() for _ in range(300)]
    for connection in connections:
        closing(connection, PATIENCE_SECONDS + 5)
    assert victim.count("not_admitted") - silent == 300
    assert victim.grown() < 25
