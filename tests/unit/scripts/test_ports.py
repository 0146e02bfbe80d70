import os
import socket
import threading

from local import ports


def test_free_port_is_free_and_a_taken_one_names_its_owner():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        owner = ports.owner(port)
        assert owner is not None
        assert owner.pid == os.getpid()
        assert "python" in owner.command
        line = ports.taken(port, "auth", "ARO_AUTH_PORT")
    assert f"port {port} for auth is taken by pid {os.getpid()}" in line
    assert "set ARO_AUTH_PORT" in line
    assert "\n" not in line
    assert ports.is_free(port)
    assert ports.owner(port) is None


def test_an_owner_that_opens_and_closes_files_all_the_time_is_found(tmp_path):
    over = threading.Event()

    def churn():
        while not over.is_set():
            for handle in [(tmp_path / "file").open("w") for _ in range(50)]:
                handle.close()

    busy = threading.Thread(target=churn)
    busy.start()
    try:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            owners = [ports.owner(server.getsockname()[1]) for _ in range(30)]
    finally:
        over.set()
        busy.join()
    assert [owner and owner.pid for owner in owners] == [os.getpid()] * 30


def test_connections_that_linger_do_not_take_a_port():
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as every server of ours does
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # this side closes first, so it keeps the port in TIME_WAIT
        client.close()
    assert ports.is_free(port)
