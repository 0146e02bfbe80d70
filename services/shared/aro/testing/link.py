"""A network between a service and its server: a TCP proxy on loopback that can be cut, silenced and slowed."""

import asyncio
import threading
from typing import Final, Literal

from aro.adapters.embedded import LOOPBACK

State = Literal["open", "cut", "silent"]
"""``cut``: connections are reset and new ones refused. ``silent``: they stay, and nothing arrives at either end."""

_CHUNK: Final = 1 << 14
_HELD_BYTES: Final = 1 << 16
"""What a network takes in before it pushes back."""


class Links:
    """Named links, all served by one event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="links", daemon=True)
        self._links: dict[str, Link] = {}
        self._thread.start()

    def add(self, name: str, port: int) -> "Link":
        """A link to `port`, open and listening."""
        link = Link(port, self._loop)
        asyncio.run_coroutine_threadsafe(link.listen(), self._loop).result(5)
        self._links[name] = link
        return link

    @property
    def native_id(self) -> int | None:
        """Of its thread, as the operating system knows it."""
        return self._thread.native_id

    def __getitem__(self, name: str) -> "Link":
        return self._links[name]

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        for link in self._links.values():
            link.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Link:
    """`delay` seconds are added in each direction, and no more than `bytes_per_second` pass (0: as many as come)."""

    def __init__(self, port: int, loop: asyncio.AbstractEventLoop) -> None:
        self._behind = port
        self._loop = loop
        self._state: State = "open"
        self._delay = 0.0
        self._bytes_per_second = 0
        self._may_pass = asyncio.Event()
        self._may_pass.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    def set(self, state: State = "open", *, delay: float = 0.0, bytes_per_second: int = 0) -> None:
        """From any thread; in force when this returns."""
        asyncio.run_coroutine_threadsafe(self._set(state, delay, bytes_per_second), self._loop).result(5)

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0, backlog=256, limit=_HELD_BYTES)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        self._server.close()
        self._reset()

    async def _set(self, state: State, delay: float, bytes_per_second: int) -> None:
        self._state, self._delay, self._bytes_per_second = state, delay, bytes_per_second
        if state == "cut":
            self._reset()
        (self._may_pass.clear if state == "silent" else self._may_pass.set)()

    def _reset(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._state == "cut":
                return
            await self._may_pass.wait()
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._behind, limit=_HELD_BYTES)
            self._writers.add(far_writer)
            try:
                await self._both_ways(reader, writer, far_reader, far_writer)
            finally:
                self._writers.discard(far_writer)
                far_writer.transport.abort()
        except (OSError, asyncio.CancelledError):
            return  # the far end is away, or all is over; the near end sees a reset
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _both_ways(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        """Until one side ends; what it said last arrives."""
        pumps = {
            asyncio.create_task(self._pump(reader, far_writer)),
            asyncio.create_task(self._pump(far_reader, writer)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for side in (writer, far_writer):
                if not side.transport.is_closing():
                    side.transport.close()
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_HELD_BYTES // _CHUNK)
        passing = asyncio.create_task(self._pass(queue, sink))
        try:
            while data := await source.read(_CHUNK):
                await queue.put((self._loop.time() + self._delay, data))
            await queue.put((0.0, b""))
            await passing
        except OSError:
            return
        finally:
            passing.cancel()

    async def _pass(self, queue: "asyncio.Queue[tuple[float, bytes]]", sink: asyncio.StreamWriter) -> None:
        """In order, each when it is due."""
        while True:
            due, data = await queue.get()
            if not data:
                return
            if (left := due - self._loop.time()) > 0:
                await asyncio.sleep(left)
            await self._may_pass.wait()
            if self._bytes_per_second:
                await asyncio.sleep(len(data) / self._bytes_per_second)
            sink.write(data)
            await sink.drain()
