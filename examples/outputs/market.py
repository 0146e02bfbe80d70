"""Samples whose numbers are always the same: seed 7, two minutes from a fixed instant on, and the worker's own maths.

REST answers the newest state, and any state with `as_of`, with the bytes of the socket's `data`, so one sample is both.
"""

from typing import Any, Final

import msgspec
from shape import trimmed

from aro.contracts.analytics import EnrichedChain
from aro.contracts.codec import encode_json
from aro.contracts.names import chain_channel, metrics_channel, surface_channel, ticks_channel
from aro.contracts.shapes import ChainShape, chain_csv, parse_chain_fields, parse_strikes, render_chain
from feed_generator.synthetic.provider import SyntheticProvider
from worker_enricher.pipeline import enrich_chains, enrich_tick, sound_chain
from worker_enricher.surface import current, surface_state

PRODUCT: Final = "NIFTY"
SEED: Final = 7
START_MS: Final = 1_798_432_200_000
"""2026-12-28T04:30:00Z, an hour and a quarter after NSE opened."""
SECONDS: Final = 120
EPOCH: Final = "6b0310cd6d116"
AROUND: Final = ChainShape(window=parse_strikes("atm:2"))
FEW: Final = parse_chain_fields("bid,ask,iv,delta")


def samples() -> dict[str, Any]:
    """File name to what it holds: the JSON value, or the text of a CSV."""
    provider = SyntheticProvider([PRODUCT], seed=SEED, scenario="calm", exchange_hours=False)
    batches = [provider.tick(START_MS + 1_000 * second) for second in range(SECONDS)]
    ticks = [enrich_tick(_numbered(batch.ticks[0])) for batch in batches[-3:]]
    sound = [sound_chain(_numbered(chain)) for chain in batches[-1].chains]
    pairs = enrich_chains(sound, computed_ts=sound[0].snapshot.source_ts + 50)
    chains = [msgspec.json.decode(encode_json(chain), type=EnrichedChain) for chain, _ in pairs]
    chain, metrics = pairs[-1]
    surface = surface_state(current(chains), None, [], computed_ts=chain.computed_ts)
    data = encode_json(chain)
    fitted = trimmed(_plain(surface))
    return {
        "tick.json": _plain(ticks[-1]),
        "chain.json": _value(render_chain(data, AROUND)),
        "chain_rows.json": _value(render_chain(data, ChainShape(window=AROUND.window, rows=True, fields=FEW))),
        "chain.csv": chain_csv(data, ChainShape(window=AROUND.window, fields=FEW)).decode(),
        "metrics.json": _plain(metrics),
        "surface.json": fitted,
        "socket.json": _conversation(chain.expiry, ticks, render_chain(data, AROUND), metrics, fitted),
    }


def _conversation(expiry: str, ticks: list[Any], chain: bytes, metrics: Any, surface: Any) -> list[dict[str, Any]]:
    """What a client says and hears first. `chain` and `surface` are cut here; they come whole."""
    first: dict[str, tuple[int, Any]] = {
        ticks_channel(PRODUCT): (117, _plain(ticks[0])),
        chain_channel(PRODUCT, expiry): (120, _value(chain)),
        metrics_channel(PRODUCT, expiry): (120, _plain(metrics)),
        surface_channel(PRODUCT): (60, surface),
    }
    positions: list[dict[str, Any]] = [
        {"channel": channel, "epoch": EPOCH, "seq": seq} for channel, (seq, _) in first.items()
    ]
    unknown = "ticks:NOPE"
    return [
        {"client": "subscribe", "payload": {"channels": [*first, unknown]}},
        {
            "server": "ack",
            "payload": {
                "ok": positions,
                "rejected": [{"channel": unknown, "code": "unknown_product", "detail": "no product 'NOPE'"}],
            },
        },
        *(
            {"server": "snapshot", "payload": {**position, "data": first[position["channel"]][1]}}
            for position in positions
        ),
        *(
            {
                "server": "update",
                "payload": {"channel": ticks_channel(PRODUCT), "epoch": EPOCH, "seq": seq, "data": _plain(tick)},
            }
            for seq, tick in enumerate(ticks[1:], start=118)
        ),
        {
            "server": "heartbeat",
            "payload": {
                "server_ts": START_MS + 1_000 * SECONDS,
                "channels": {position["channel"]: position["seq"] for position in positions},
            },
        },
    ]


def _numbered(message: Any) -> Any:
    """As the feed numbers what it sends: by its time."""
    return msgspec.structs.replace(message, source_seq=message.source_ts)


def _plain(message: Any) -> Any:
    return _value(encode_json(message))


def _value(data: bytes) -> Any:
    return msgspec.json.decode(data)
