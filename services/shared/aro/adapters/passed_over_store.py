"""The only door to ``passed_over`` and ``passed_over_blocks``: ledger entries that were stored as they came.

Entries are kept in blocks, because the pipeline stores them when it has no time. The embedded server reads a whole
collection for anything but the question for an `_id`; so what is large is one, and what says which there are another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import msgspec
from backports import zstd
from pymongo.database import Database

from aro.adapters.mongo import FOLLOWED, Document
from aro.adapters.writes import insert_new
from aro.contracts.names import COLLECTION_PASSED_OVER, COLLECTION_PASSED_OVER_BLOCKS

BLOCK_BYTES: Final = 4 << 20
"""Most bytes of messages in one block: MongoDB takes documents of 16 MB."""
LEVEL: Final = 2
"""Of zstd, which sees what the snapshots of a block have in common: 3.7 MB to 14 % in 5.8 ms, where deflate, by which
chains are stored, takes 8.3 ms to 30 %."""

Entry = tuple[str, bytes]
"""Id in the ledger, and message."""

_entries = msgspec.msgpack.Decoder(list[Entry])
_to_msgpack = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class Block:
    """`entries` is how many it holds."""

    id: str
    stream: str
    entries: int


class PassedOverStore:
    def __init__(self, database: Database[Document]) -> None:
        self._directory = database[COLLECTION_PASSED_OVER]
        self._blocks = database[COLLECTION_PASSED_OVER_BLOCKS]
        self._blocks_followed = self._blocks.with_options(write_concern=FOLLOWED)

    def ensure(self) -> None:
        """Both are asked by `_id` only."""

    def save(self, stream: str, entries: Sequence[Entry]) -> None:
        """Store them durably. Repeating it stores nothing twice; in other company an entry may be stored again."""
        blocks = [_packed(stream, part) for part in _parts(entries)]
        # In the journal the blocks lie before what lists them, for which the server waits.
        insert_new(self._blocks_followed, [{"_id": block.id, "data": data} for block, data in blocks])
        listed = [{"_id": block.id, "stream": block.stream, "entries": block.entries} for block, _ in blocks]
        insert_new(self._directory, listed)

    def blocks(self) -> list[Block]:
        """All there are, oldest first."""
        found = [Block(each["_id"], each["stream"], int(each["entries"])) for each in self._directory.find({})]
        return sorted(found, key=lambda block: _first_entry(block.id))

    def load(self, block: Block) -> list[Entry]:
        """Empty if it is not there any more."""
        document = self._blocks.find_one({"_id": block.id})
        return _entries.decode(zstd.decompress(document["data"])) if document else []

    def remove(self, block: Block) -> None:
        """Call it when what is in there was stored elsewhere."""
        # A crash in between leaves a block that is listed and empty, never one that nobody finds.
        self._blocks.delete_one({"_id": block.id})
        self._directory.delete_one({"_id": block.id})


def _parts(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    part: list[Entry] = []
    size = 0
    for entry in entries:
        if part and size + len(entry[1]) > BLOCK_BYTES:
            yield part
            part, size = [], 0
        part.append(entry)
        size += len(entry[1])
    if part:
        yield part


def _packed(stream: str, entries: list[Entry]) -> tuple[Block, bytes]:
    data = zstd.compress(_to_msgpack.encode(entries), level=LEVEL)
    # A ledger that lost its data may use ids again; the content tells them apart.
    return Block(f"{stream}|{entries[0][0]}|{crc32(data):08x}", stream, len(entries)), data


def _first_entry(block_id: str) -> tuple[int, int]:
    milliseconds, _, counter = block_id.split("|")[1].partition("-")
    return int(milliseconds), int(counter)
