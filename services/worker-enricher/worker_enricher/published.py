"""Snapshots in, records out: metrics, and the JSON of each chain as it is published, stored and sent to clients.

The JSON is that of `EnrichedChain`, to the byte, printed from arrays by `aro.quant.wire`. Where that was not built, or
does not print a number, the object itself is made and encoded.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aro.adapters.chain_store import ChainRecord
from aro.contracts.analytics import DECIMALS, ChainMetrics, EnrichedChain, EnrichedQuotes
from aro.contracts.codec import encode_json
from aro.quant import wire
from aro.quant.arrays import FloatArray
from aro.quant.batch import SideResult
from aro.quant.columns import SideColumns
from worker_enricher.pipeline import (
    FLAG_LISTS,
    MODEL_COLUMNS,
    PRICE_COLUMNS,
    STATUSES,
    Numbers,
    Solved,
    SoundChain,
    enriched_chain,
    solve_chains,
)

_NAMES: Final = EnrichedChain.__struct_fields__
_LEGS: Final = ("strikes", "calls", "puts")
_BEFORE: Final = _NAMES[: _NAMES.index(_LEGS[0])]
_AFTER: Final = _NAMES[_NAMES.index(_LEGS[-1]) + 1 :]
_STATUS_TEXTS: Final = tuple(map(encode_json, STATUSES))
_FLAG_TEXTS: Final = tuple(map(encode_json, FLAG_LISTS))
_ROUNDED: Final[Mapping[str, int]] = {
    **dict.fromkeys(PRICE_COLUMNS, DECIMALS["price"]),
    **{name: DECIMALS[name] for name in MODEL_COLUMNS},
}

Printed = tuple[bytes, wire.Column | wire.Words]
"""What stands before the first entry of a column, and its entries."""

_writer: Final = wire.Writer()


def enrich_records(chains: Sequence[SoundChain], *, computed_ts: int) -> list[ChainRecord]:
    """All chains in one vectorised solve, in the order given. `computed_ts` is UTC epoch milliseconds."""
    if not chains:
        return []
    solved = solve_chains(chains)
    columns = _print_columns(solved)
    records = []
    for index, numbers in enumerate(solved.numbers(computed_ts)):
        metrics = ChainMetrics(**numbers.shared, **numbers.metrics)
        legs = columns[index]
        data = encode_json(enriched_chain(solved, index, numbers)) if legs is None else _around(numbers, legs)
        records.append(ChainRecord(metrics, metrics, data))
    return records


def _around(numbers: Numbers, legs: bytes) -> bytes:
    fields: dict[str, Any] = {**numbers.shared, **numbers.chain}
    before = encode_json({name: fields[name] for name in _BEFORE})
    after = encode_json({name: fields[name] for name in _AFTER})
    return b"%b,%b,%b" % (before[:-1], legs, after[1:])


def _print_columns(solved: Solved) -> Sequence[bytes | None]:
    """The members strikes, calls and puts of each chain; None for those that are not printed here."""
    if wire.compiled is None:
        return [None] * len(solved.chains)
    rows, result = solved.rows, solved.result
    first, second = rows[1 : 1 + wire.LEG_ROWS], rows[1 + wire.LEG_ROWS :]
    columns: list[Printed] = [(b'"strikes":[', wire.Column(rows[0], wire.AS_IT_CAME))]
    columns += _side(b'],"calls":{', first, solved.flags[0], result.calls)
    columns += _side(b']},"puts":{', second, solved.flags[1], result.puts)
    return _writer.write(solved.batch.offsets, columns, b"]}")


def _side(opening: bytes, rows: FloatArray, flags: wire.Flags, side: SideResult) -> list[Printed]:
    came = dict(zip(SideColumns._fields, rows, strict=True))
    printed: list[Printed] = []
    for name in EnrichedQuotes.__struct_fields__:
        before = b'%b"%b":[' % (opening if not printed else b"],", name.encode())
        if name == "iv_status":
            printed.append((before, wire.Words(side.iv_status, _STATUS_TEXTS)))
        elif name == "flags":
            printed.append((before, wire.Words(flags, _FLAG_TEXTS)))
        elif name in came:
            printed.append((before, wire.Column(came[name], wire.AS_IT_CAME)))
        else:
            printed.append((before, wire.Column(getattr(side, name), _ROUNDED[name])))
    return printed
