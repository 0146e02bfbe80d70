"""What is no HTTP request, or too much of one, is a problem too and shows nothing of the inside."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aro.runtime.web import MAX_BODY_BYTES, MAX_URL_BYTES
from aro.runtime.wsgi import REQUEST_LINE_BYTES
from aro.testing.model_service import KEY
from aro.testing.services import HttpService


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpService]:
    raw = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    service = HttpService("aro.testing.model_service", Path(tmp_path_factory.mktemp("model")), {KEY: raw})
    try:
        service.start()
        yield service
    finally:
        service.kill()


def sent(service: HttpService, request: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body of what the service answers to these bytes."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /livez?" + b"a" * MAX_URL_BYTES + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 414),
        (b"GET /livez?" + b"a" * REQUEST_LINE_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET /livez HTTP/9.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nBad Header: <b>secret</b>\r\n\r\n", 400),
        (b"<script>alert(1)</script> / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"POST /api/v1/prices HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: invented, chunked\r\n\r\n", 501),
        (b"POST /api/v1/prices HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    ],
)
def test_it_is_refused_with_a_problem(model: HttpService, request_: bytes, status: int) -> None:
    answered, headers, problem = sent(model, request_)
    assert (answered, problem["status"]) == (status, status)
    assert headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == headers["x-request-id"]
    assert problem["type"] == f"urn:option-aro:problem:{problem['code']}"
    assert not {"script", "secret", "gunicorn", "Error", "Invalid"} & set(json.dumps(problem).split())
    assert "<" not in json.dumps(problem)


def test_a_body_in_chunks_is_bounded_too(model: HttpService) -> None:
    chunk = b"1000\r\n" + b" " * 4_096 + b"\r\n"
    head = (
        b"POST /api/v1/prices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    enough = MAX_BODY_BYTES // 4_096 + 1
    status, _, problem = sent(model, head + chunk * enough + b"0\r\n\r\n")
    assert (status, problem["code"]) == (413, "request_entity_too_large")
