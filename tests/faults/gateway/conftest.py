"""Redis, gateways on it, a feed that never gives up, and a crowd of clients that are watched for what they are told."""

import itertools
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from aro.adapters.live import LivePublisher, LiveReader, Publication, Published
from aro.contracts.names import live_key, log_key
from aro.testing.continuity import Truth
from aro.testing.crowd import Crowd, Member
from aro.testing.eventually import eventually
from aro.testing.issuer import Issuer
from aro.testing.servers import RedisServer
from aro.testing.services import HttpService

ROOT = Path(__file__).resolve().parents[3]
for folder in (ROOT / "examples", ROOT / "tests" / "integration" / "gateway"):  # the official clients; players
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

CHANNELS = [f"chain:NIFTY:20{year}-01-01" for year in range(31, 35)]
STRIKES = 20


class Feed:
    """Publishes chain-like states to all channels in turn, and tries on through every fault until Redis has each."""

    def __init__(self, server: RedisServer, truth: Truth, channels: Sequence[str], hertz: float) -> None:
        self._server = server
        self._truth = truth
        self._channels = channels
        self._pause = 1 / hertz
        self._random = random.Random(7)
        self._states = {channel: self._first(channel) for channel in channels}
        self._source_seq = itertools.count(int(time.time() * 1000))
        self._quiet = threading.Event()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self.accepted_at: list[float] = []
        """Monotonic time of each publication that Redis confirmed."""
        self._connect()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._quiet.set()
        if self._thread.is_alive():
            self._thread.join()
        self._client.close()

    def publish_silently(self, channel: str) -> None:
        """State and log as the publish script writes them, but no PUBLISH: an announcement that was lost."""
        with self._turn:
            state = LiveReader(self._client).state(channel)
            assert state is not None
            data = self._next(channel)
            text = msgspec.json.encode(data)
            source_seq = next(self._source_seq)
            fields = {"seq": state.seq + 1, "source_seq": source_seq, "data": text}
            self._client.hset(live_key(channel), mapping=fields)
            self._client.xadd(log_key(channel), {"s": source_seq, "d": text}, id=f"{state.seq + 1}-0")
            assert self._truth.agrees(channel, state.epoch, state.seq + 1, data)

    def _connect(self) -> None:
        # Short of patience: what is late here would be taken for lateness of the gateway.
        self._client = redis.Redis.from_url(self._server.url, socket_timeout=0.5, socket_connect_timeout=0.5)
        self._publisher = LivePublisher(self._client)

    def _run(self) -> None:
        for channel in itertools.cycle(self._channels):
            if self._quiet.wait(self._pause):
                return
            with self._turn:
                self._publish(channel)

    def _publish(self, channel: str) -> None:
        source_seq, data = next(self._source_seq), self._next(channel)
        text = msgspec.json.encode(data)
        while not self._quiet.is_set():
            try:
                [published] = self._publisher.publish([Publication(channel, source_seq, text)])
            except redis.RedisError:
                self._client.close()
                self._connect()
                self._quiet.wait(0.02)
                continue
            self._note(channel, published, data)
            return

    def _note(self, channel: str, published: Published, data: Any) -> None:
        if published.accepted:
            self.accepted_at.append(time.monotonic())
            agrees = self._truth.agrees(channel, published.epoch, published.seq, data)
            assert agrees, f"{channel}: {published} is not what clients were told"

    def _first(self, channel: str) -> dict[str, Any]:
        strikes = [24_000.0 + 50 * index for index in range(STRIKES)]
        columns = {name: [self._number() for _ in strikes] for name in ("bid", "ask", "iv", "delta")}
        return {"n": 0, "at": 0.0, "id": channel, "strikes": strikes, "calls": columns, "puts": dict(columns)}

    def _next(self, channel: str) -> dict[str, Any]:
        """A few cells change, as in a market; seldom the ladder of strikes."""
        state = dict(self._states[channel])
        for side in ("calls", "puts"):
            columns = {name: list(column) for name, column in state[side].items()}
            for column in columns.values():
                column[self._random.randrange(len(column))] = self._number()
            state[side] = columns
        if self._random.random() < 0.05:
            state["strikes"] = [strike + 50 for strike in state["strikes"]]
        state |= {"n": state["n"] + 1, "at": time.monotonic()}
        self._states[channel] = state
        return state

    def _number(self) -> float | None:
        return None if self._random.random() < 0.1 else round(self._random.uniform(0, 500), 2)


class Estate:
    """`gateways` are started; members and feed are for the test to start."""

    def __init__(self, directory: Path, ending: ExitStack, *, gateways: int, hertz: float, **settings: str) -> None:
        self._ending = ending
        self.truth = Truth()
        self.issuer = Issuer()
        self.issuer.start()
        ending.callback(self.issuer.stop)
        self.redis = RedisServer(directory / "redis")
        ending.callback(self.redis.kill)
        self.redis.start()
        self.feed = Feed(self.redis, self.truth, CHANNELS, hertz)
        ending.callback(self.feed.stop)
        self.gateways = [self._gateway(directory / f"gateway-{number}", settings) for number in range(gateways)]
        self.feed.start()
        client = self.redis.client()
        ending.callback(client.close)
        eventually(lambda: client.exists(*map(live_key, CHANNELS)) == len(CHANNELS), "all channels to be live")

    def crowd(self, port: int, members: Sequence[Member]) -> Crowd:
        """Started; ended with the test."""
        crowd = Crowd(port, members)
        self._ending.callback(crowd.stop)
        crowd.start()
        return crowd

    def member(self, number: int, channels: Sequence[str] = CHANNELS, **options: Any) -> Member:
        return Member(self.issuer.token(f"user-{number}"), channels, self.truth, **options)

    def final(self) -> dict[str, tuple[str, int]]:
        """Where each channel is, once the feed has stopped."""
        client = self.redis.client()
        try:
            positions = LiveReader(client).positions(CHANNELS)
        finally:
            client.close()
        return {channel: (position.epoch, position.seq) for channel, position in positions.items() if position}

    def settle(self, crowd: Crowd) -> None:
        """Stop the feed; then every member arrives where Redis is, and none was ever misled."""
        self.feed.stop()
        final = self.final()
        assert len(final) == len(CHANNELS)

        def arrived() -> bool:
            return all(
                {name: (at["epoch"], at["seq"]) for name, at in member.checked.positions().items()}
                == {name: final[name] for name in member.channels}
                for member in crowd.members
            )

        eventually(arrived, "every client to arrive at the present", seconds=10)
        assert crowd.faults() == []

    def _gateway(self, directory: Path, settings: dict[str, str]) -> HttpService:
        gateway = HttpService(
            "socket_gateway",
            directory,
            {
                "ARO_REDIS_URL": self.redis.url,
                "ARO_JWKS_URL": self.issuer.jwks_url,
                "ARO_GATEWAY_HEARTBEAT_SECONDS": "1",
                "ARO_GATEWAY_CHECK_SECONDS": "1",
                **settings,
            },
        )
        self._ending.callback(gateway.kill)
        gateway.start()
        return gateway


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Callable[..., Estate]]:
    with ExitStack() as ending:
        yield lambda **options: Estate(tmp_path, ending, **options)


@pytest.fixture
def note(
    record_property: Callable[[str, object], None],
) -> Callable[..., None]:
    """Puts figures into the report (``--junitxml``), and on the terminal under ``-s``."""

    def tell(**figures: Any) -> None:
        for name, value in figures.items():
            record_property(name, round(value, 2) if isinstance(value, float) else value)
        sys.stdout.write(f"\n{figures}\n")

    return tell
