"""Who is connected: one `Client` per Engine.IO connection, admitted to the namespace or not yet."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from aro.adapters.tokens import Principal
from socket_gateway.budgets import Budget
from socket_gateway.pacing import Subscription
from socket_gateway.refusals import TooManySockets
from socket_gateway.wire import Wire


@dataclass(slots=True, eq=False)
class Client:
    """`sid` and `principal` are set while it is admitted; `after_ack` is done when its event was answered.

    `address` is what is counted as one; `tries` are messages that came before it was admitted.
    """

    engine_id: str
    wire: Wire
    opened_at: float
    budget: Budget
    address: str = ""
    tries: int = 0
    sid: str | None = None
    principal: Principal | None = None
    channels: dict[str, Subscription] = field(default_factory=dict)
    after_ack: list[Callable[[], None]] = field(default_factory=list)
    end_reason: str | None = None


class Clients:
    def __init__(self, *, max_per_user: int) -> None:
        self._max_per_user = max_per_user
        self._by_engine: dict[str, Client] = {}
        self._by_sid: dict[str, Client] = {}
        self._per_user: Counter[str] = Counter()
        self._per_address: Counter[str] = Counter()

    def __len__(self) -> int:
        """All connections, admitted or not."""
        return len(self._by_engine)

    def __iter__(self) -> Iterator[Client]:
        """A copy: connections may come and go while it is walked."""
        return iter(list(self._by_engine.values()))

    @property
    def admitted(self) -> int:
        return len(self._by_sid)

    def open(self, client: Client) -> None:
        self._by_engine[client.engine_id] = client
        self._per_address[client.address] += 1

    def close(self, engine_id: str) -> None:
        client = self._by_engine.pop(engine_id, None)
        if client is not None:
            _count_down(self._per_address, client.address)

    def at(self, address: str) -> int:
        """How many connections this address has, admitted or not."""
        return self._per_address[address]

    def of_engine(self, engine_id: str) -> Client | None:
        return self._by_engine.get(engine_id)

    def of_sid(self, sid: str) -> Client | None:
        return self._by_sid.get(sid)

    def of_session(self, session: str) -> list[Client]:
        """Admitted clients whose present token belongs to this session."""
        return [client for client in self._by_sid.values() if client.principal and client.principal.session == session]

    def admit(self, client: Client, sid: str, principal: Principal) -> None:
        """Raises `TooManySockets` if this account has as many as it may."""
        if self._per_user[principal.subject] >= self._max_per_user:
            raise TooManySockets(f"this account has {self._max_per_user} open sockets, which is the limit")
        self._per_user[principal.subject] += 1
        self._by_sid[sid] = client
        client.sid, client.principal = sid, principal

    def dismiss(self, sid: str) -> Client | None:
        """Undo `admit`; None if it was not admitted."""
        client = self._by_sid.pop(sid, None)
        if client is None or client.principal is None:
            return None
        _count_down(self._per_user, client.principal.subject)
        client.sid = None
        return client


def _count_down(counts: Counter[str], key: str) -> None:
    """One less; who has none is forgotten."""
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
