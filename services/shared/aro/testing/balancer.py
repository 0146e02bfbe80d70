"""A TCP balancer as stands before several gateways: new connections go to a backend that says it is ready."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from typing import Final

from aro.adapters.embedded import LOOPBACK

PROBE_SECONDS: Final = 0.2
_CHUNK: Final = 1 << 16


class Balancer:
    """Knows of each backend what ``/readyz`` last said, and nothing of what goes through."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._open = dict.fromkeys(ports, 0)
        """Connections per backend."""
        self._ready: set[int] = set()
        self._fronts: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="balancer", daemon=True)
        self.port = 0

    def start(self) -> None:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def connections(self) -> dict[int, int]:
        return dict(self._open)

    def ready(self) -> set[int]:
        """Ports of backends that new connections may go to."""
        return set(self._ready)

    def cut(self) -> int:
        """Reset every connection, wherever it is in whatever it carries; how many there were."""
        fronts = list(self._fronts)
        for front in fronts:
            self._loop.call_soon_threadsafe(front.transport.abort)
        return len(fronts)

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0, backlog=4_096)
        self._probes = [asyncio.create_task(self._probe(port)) for port in self._open]
        return int(self._server.sockets[0].getsockname()[1])

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _probe(self, port: int) -> None:
        while True:
            try:
                is_ready = await asyncio.wait_for(_is_ready(port), 1.0)
            except (OSError, TimeoutError):
                is_ready = False
            (self._ready.add if is_ready else self._ready.discard)(port)
            await asyncio.sleep(PROBE_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in sorted(self._ready, key=self._open.__getitem__):
            # Counted before it is there: of many that come at once, all would go to the same one.
            self._open[port] += 1
            try:
                behind_reader, behind_writer = await asyncio.open_connection(LOOPBACK, port)
            except OSError:
                self._open[port] -= 1
                continue
            self._fronts.add(writer)
            try:
                # The callback of asyncio's own server takes a cancelled task for a failure.
                with contextlib.suppress(asyncio.CancelledError):
                    await _pass_on(reader, writer, behind_reader, behind_writer)
            finally:
                self._open[port] -= 1
                self._fronts.discard(writer)
            return
        writer.transport.abort()


async def _pass_on(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    behind_reader: asyncio.StreamReader,
    behind_writer: asyncio.StreamWriter,
) -> None:
    """Both ways, until one side ends; then both end, after what the backend said last."""
    up = asyncio.create_task(_pump(reader, behind_writer))
    down = asyncio.create_task(_pump(behind_reader, writer))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)
        for side in (writer, behind_writer):
            side.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()


async def _is_ready(port: int) -> bool:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n")
        return b" 200 " in await reader.readline()
    finally:
        writer.close()
