"""Clients that poll at a fixed rate, whatever the answers take: latency counts from when a request was due.

Each client is one connection. It asks for the latest chain with gzip, and names the tag that it has, as a browser does.
"""

import asyncio
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Latencies:
    """Milliseconds, by status."""

    of: dict[int, list[float]] = field(default_factory=dict)

    def add(self, status: int, milliseconds: float) -> None:
        self.of.setdefault(status, []).append(milliseconds)

    def all(self) -> list[float]:
        return sorted(each for found in self.of.values() for each in found)

    def percentile(self, percent: float) -> float:
        found = self.all()
        return found[min(len(found) - 1, int(len(found) * percent / 100))]


async def poll(host: str, port: int, head: str, *, rate: float, clients: int, seconds: float) -> Latencies:
    """`rate` requests a second in all, spread evenly over `clients` connections; `head` is one without its end."""
    found = Latencies()
    begun = time.perf_counter()
    interval = clients / rate
    await asyncio.gather(
        *(
            _client(host, port, head, found, first=begun + number / rate, interval=interval, until=begun + seconds)
            for number in range(clients)
        )
    )
    return found


async def _client(
    host: str, port: int, head: str, found: Latencies, *, first: float, interval: float, until: float
) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    tag, due = "", first
    try:
        while due < until:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            condition = f"If-None-Match: {tag}\r\n" if tag else ""
            writer.write(f"{head}{condition}\r\n".encode())
            status, tag = await _answer(reader)
            found.add(status, (time.perf_counter() - due) * 1000)
            due += interval
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Status and ETag."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    await reader.readexactly(int(fields.get("Content-Length", 0)))
    return int(head.split(" ", 2)[1]), fields.get("ETag", "")
