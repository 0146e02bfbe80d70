"""A link passes everything on until it is told otherwise, and then does exactly what it is told."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from aro.testing.eventually import eventually
from aro.testing.link import Link, Links

LARGE = bytes(range(256)) * 4096


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address) -> None:
        """Connections are cut here all the time."""


@pytest.fixture
def link() -> Iterator[Link]:
    server = _Server(("127.0.0.1", 0), _Echo)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    links = Links()
    yield links.add("echo", server.server_address[1])
    links.stop()
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def opened(link: Link) -> Iterator[socket.socket]:
    with connect(link) as connection:
        assert asked(connection, b"hello") == b"hello"
        yield connection


def connect(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=10)


def asked(connection: socket.socket, data: bytes) -> bytes:
    """What comes back; sent beside, so that nobody waits for the other."""
    sending = threading.Thread(target=connection.sendall, args=(data,))
    sending.start()
    found = b""
    while len(found) < len(data) and (more := connection.recv(65536)):
        found += more
    sending.join()
    return found


def has_ended(connection: socket.socket) -> bool:
    """Waits for what comes next."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_what_goes_through_is_unchanged(opened):
    assert asked(opened, LARGE) == LARGE


def test_a_cut_link_ends_connections_and_takes_no_new_ones_until_it_is_open(link, opened):
    link.set("cut")
    assert has_ended(opened)
    with connect(link) as refused:
        assert has_ended(refused)
    link.set()
    with connect(link) as again:
        assert asked(again, b"again") == b"again"


def test_on_a_silent_link_nothing_arrives_and_nothing_is_lost(link, opened):
    link.set("silent")
    opened.sendall(b"are you there?")
    opened.settimeout(0.3)
    with pytest.raises(TimeoutError):
        opened.recv(1)
    opened.settimeout(10)
    link.set()
    assert eventually(lambda: opened.recv(64), "the answer") == b"are you there?"


def test_a_slow_link_takes_its_time(link, opened):
    link.set(delay=0.15)
    started = time.monotonic()
    assert asked(opened, b"x") == b"x"
    assert time.monotonic() - started >= 0.3
    link.set(bytes_per_second=400_000)
    started = time.monotonic()
    assert asked(opened, LARGE[:200_000]) == LARGE[:200_000]
    assert time.monotonic() - started >= 0.4
