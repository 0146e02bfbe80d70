"""Accepting goes on after what happens to a single connection, and not after what happens to the listening socket."""

import errno
from typing import Any

import pytest

from socket_gateway.entrance import Entrance


class Listening:
    def __init__(self, *outcomes: int | str) -> None:
        self._outcomes = list(outcomes)

    def accept(self) -> Any:
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, int):
            raise OSError(outcome, errno.errorcode[outcome])
        return outcome, ("192.0.2.1", 5)


def entrance(*outcomes: int | str) -> tuple[Entrance, list[float]]:
    """One that does not listen, and its pauses."""
    made, pauses = Entrance.__new__(Entrance), []
    made._listening, made._sleep = Listening(*outcomes), pauses.append
    return made, pauses


@pytest.mark.parametrize("error", [errno.ECONNABORTED, errno.EMFILE, errno.ENFILE, errno.ECONNRESET, errno.ENETDOWN])
def test_errors_of_one_connection_are_survived(error: int) -> None:
    made, pauses = entrance(error, error, "connection")
    assert made._accept() == ("connection", ("192.0.2.1", 5))
    assert len(pauses) == 2, "it does not spin while files are short"


@pytest.mark.parametrize("error", [errno.EBADF, errno.EINVAL])
def test_errors_of_the_listening_socket_are_not(error: int) -> None:
    made, _ = entrance(error, "connection")
    with pytest.raises(OSError, match=errno.errorcode[error]):
        made._accept()
