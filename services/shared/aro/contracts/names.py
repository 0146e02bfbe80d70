"""Every name that two processes share: streams, keys, channels, queues, tasks, collections."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from aro.contracts.problems import UnknownChannel

# --- Redis: the ledger ---------------------------------------------------------------------
STREAM_TICKS: Final = "market:ticks"
STREAM_CHAINS: Final = "market:chains"
STREAM_DEAD: Final = "market:dead"
LEDGER_STREAMS: Final = (STREAM_TICKS, STREAM_CHAINS)
GROUP_ENRICHERS: Final = "enrichers"
FIELD_MESSAGE: Final = "m"
"""The one field of a ledger entry: the msgpack message."""
KEY_ENRICH_ERRORS: Final = "market:errors"
"""Hash ``stream|entry id`` → the last unexpected error while it was enriched."""
KEY_LAST_SOURCE_SEQ: Final = "feed:source-seq"
"""Hash ``NIFTY|2026-12-29`` → the last ``source_seq`` that the feed used."""

# --- Redis: replay sessions ----------------------------------------------------------------
STREAM_REPLAY: Final = "replay:ledger"
"""What sessions play, on its way to a worker; an entry leaves when it was published. No consumer group reads it."""
KEY_REPLAY_ORDERS: Final = "replay:orders"
"""Hash session id → what its owner wants. Who is in it exists; nothing is published for who is not."""
KEY_REPLAY_PROGRESS: Final = "replay:progress"
"""Hash session id → where it is."""
KEY_REPLAY_PLAYER: Final = "replay:player"
"""Held by the one process that plays sessions, as long as it lives."""
KEY_REPLAY_RECORDINGS: Final = "replay:recordings"
"""What that process could play besides history."""
KEY_REPLAY_TURN: Final = "replay:turn"
"""Held by the one consumer that hands on what sessions play."""
REPLAY_PREFIX: Final = "replay:"
REPLAY_ENDED: Final = "replay-ended"
"""First word of the announcement, on a session's own pub/sub channel, that it is over."""


def replay_bus(session: str) -> str:
    """Pub/sub channel of what is published for a session; only who listens to the session subscribes to it."""
    return f"{REPLAY_PREFIX}{session}"


def replay_index(session: str) -> str:
    """Set of the session's channels that hold state."""
    return f"{REPLAY_PREFIX}{session}:channels"


# --- Redis: minutes that bars are owed for --------------------------------------------------
KEY_BARS_DUE: Final = "bars:due"
"""Sorted set of ``NIFTY|2026-12-29|<minute>``; the score is the UTC epoch millisecond from which to roll it up."""
KEY_BARS_UNPUBLISHED: Final = "bars:unpublished"
"""Set of those of them of which something was stored that is not in the log of its channel."""
KEY_BARS_SEARCH: Final = "bars:search"
"""Held from a search for minutes without bars until the next; a Redis that lost its data has lost this too."""
KEY_BARS_TURN: Final = "bars:turn"
"""Held by the one process that rolls up now."""

# --- Redis: what processes say of themselves -------------------------------------------------
KEY_VITALS: Final = "vitals"
"""Set of instances: processes that say how they are. What each says is under `vitals_key`, for a few seconds."""

# --- Redis: what was passed over under overload ---------------------------------------------
KEY_PASSED_OVER: Final = "enrich:passed-over"
"""How many snapshots are stored raw and wait to be enriched, as last counted."""
KEY_CATCH_UP_TURN: Final = "enrich:catch-up"
"""Held by the one process that enriches them now."""

# --- Redis: logs and revocations -----------------------------------------------------------
STREAM_LOGS: Final = "logs:events"
"""JSON log lines on their way to the logging service; bounded, the oldest go first."""
STREAM_LOGS_LENGTH: Final = 100_000
GROUP_LOGGERS: Final = "loggers"
KEY_REVOKED: Final = "auth:revoked"
"""Sorted set of ended sessions; the score is the UTC epoch second after which no access token of one can be valid."""
KEY_QUOTA: Final = "gateway:quota"
"""Prefix of counters of requests, one for each limit, caller and minute: see `quota_key`."""
PUBSUB_REVOKE: Final = "ctl:revoke"
"""Pub/sub channel that carries the id of a session at the moment it ends."""

# --- Redis: the live state -----------------------------------------------------------------
PUBSUB_LIVE: Final = "live"
"""Pub/sub channel on which every accepted publication is announced."""
LIVE_PREFIX: Final = "live:"
LIVE_INDEX: Final = "live-channels"
"""Set of all channels that hold live state."""
LOG_LENGTH: Final = 300
"""Publications kept per channel for gap repair; Centrifugo's recovery limit is the same."""


def quota_key(scope: str, caller: str, window: int) -> str:
    """`caller` is a digest, never an account or an address."""
    return f"{KEY_QUOTA}:{scope}:{caller}:{window}"


def vitals_key(instance: str) -> str:
    """A string, the msgpack of `ProcessVitals`, which expires."""
    return f"{KEY_VITALS}:{instance}"


def live_key(channel: str) -> str:
    """Hash with fields ``epoch run seq source_seq ts data``."""
    return f"{LIVE_PREFIX}{channel}"


def log_key(channel: str) -> str:
    """Stream of the last publications; entry id is ``<seq>-0``."""
    return f"{LIVE_PREFIX}{channel}:log"


# --- Celery --------------------------------------------------------------------------------
QUEUE_ENRICH: Final = "enrich"
QUEUE_PERIODIC: Final = "periodic"
QUEUE_REPLAY: Final = "replay"
QUEUES: Final = (QUEUE_ENRICH, QUEUE_PERIODIC, QUEUE_REPLAY)
TASK_ENRICH: Final = "aro.enrich"
TASK_STORE_RAW: Final = "aro.store_raw"
TASK_CATCH_UP: Final = "aro.catch_up"
TASK_REPLAY: Final = "aro.replay"
TASK_STATUS: Final = "aro.status"
TASK_SURFACE: Final = "aro.surface"
TASK_IV_HISTORY: Final = "aro.iv_history"
TASK_BARS: Final = "aro.bars"

KEY_TURNS: Final = "enrich:done"
"""Prefix of lists of what a consumer's tasks are done with: see `turns_key`."""
BATCH_TURN: Final = "turn"
"""In a batch, beside its streams: the consumer that waits for its end, and the number of its turn."""


def turns_key(consumer: str) -> str:
    return f"{KEY_TURNS}:{consumer}"


# --- MongoDB -------------------------------------------------------------------------------
COLLECTION_CHAINS: Final = "chain_snapshots"
COLLECTION_LATEST: Final = "chain_latest"
COLLECTION_METRICS: Final = "chain_metrics"
COLLECTION_TICKS: Final = "ticks"
COLLECTION_USERS: Final = "users"
COLLECTION_IV_HISTORY: Final = "iv_history"
COLLECTION_SURFACES: Final = "surface_snapshots"
COLLECTION_BARS: Final = "bars"
COLLECTION_SESSIONS: Final = "sessions"
COLLECTION_PERSONAL_TOKENS: Final = "personal_tokens"
COLLECTION_INVITATIONS: Final = "invitations"
COLLECTION_LOGS: Final = "logs"
COLLECTION_LOG_HOURS: Final = "log_hours"
"""How many lines, of which services, each hour of `COLLECTION_LOGS` holds."""
COLLECTION_ALERTS: Final = "alerts"
COLLECTION_ALERT_EVENTS: Final = "alert_events"
COLLECTION_PRESENCE: Final = "presence"
"""Which minutes of an hour hold data of a series."""
COLLECTION_PASSED_OVER: Final = "passed_over"
"""Which blocks there are of snapshots that were stored raw, and how many are in each."""
COLLECTION_PASSED_OVER_BLOCKS: Final = "passed_over_blocks"
COLLECTION_MIGRATIONS: Final = "schema_migrations"


def snapshot_id(product: str, expiry: str, source_seq: int) -> str:
    """``NIFTY|2026-12-29|1766998800000``: the Mongo ``_id``, and the one id that logs carry."""
    return f"{product}|{expiry}|{source_seq}"


def history_id(product: str, day: str) -> str:
    """``NIFTY|2026-12-29``: one document a day."""
    return f"{product}|{day}"


def tick_id(product: str, source_seq: int) -> str:
    return f"{product}|{source_seq}"


def bar_id(product: str, expiry: str, minute_ts: int) -> str:
    """``NIFTY|2026-12-29|1766998800000``; without expiry (``NIFTY||…``) for the product itself."""
    return f"{product}|{expiry}|{minute_ts}"


# --- Client channels -----------------------------------------------------------------------
ChannelKind = Literal["ticks", "metrics", "chain", "surface", "bars", "status"]
BarInterval = Literal["1m"]
_CHANNEL = re.compile(
    r"(?:replay:(?P<session>[0-9a-f]{16}):)?"
    r"(?:(?P<status>status)"
    r"|(?P<whole>ticks|surface):(?P<whole_product>[A-Z0-9]{1,20})"
    r"|bars:(?P<bars_product>[A-Z0-9]{1,20}):(?P<interval>1m)"
    r"|(?P<kind>chain|metrics):(?P<product>[A-Z0-9]{1,20}):(?P<expiry>\d{4}-\d{2}-\d{2}|\*))"
)


@dataclass(frozen=True, slots=True)
class Channel:
    """A parsed client channel; ``expiry`` may be ``*`` (all expiries that are live now).

    `session` is that of a replay; None for what is live.
    """

    kind: ChannelKind
    product: str | None = None
    expiry: str | None = None
    interval: BarInterval | None = None
    session: str | None = None

    def __str__(self) -> str:
        name = ":".join(part for part in (self.kind, self.product, self.expiry, self.interval) if part)
        return name if self.session is None else replay_channel(self.session, name)

    @property
    def is_pattern(self) -> bool:
        return self.expiry == "*"


CHANNEL_STATUS: Final = "status"


def ticks_channel(product: str) -> str:
    return f"ticks:{product}"


def chain_channel(product: str, expiry: str) -> str:
    return f"chain:{product}:{expiry}"


def metrics_channel(product: str, expiry: str) -> str:
    return f"metrics:{product}:{expiry}"


def surface_channel(product: str) -> str:
    return f"surface:{product}"


def bars_channel(product: str, interval: BarInterval = "1m") -> str:
    return f"bars:{product}:{interval}"


def replay_channel(session: str, channel: str) -> str:
    """What `channel` is called in a replay session."""
    return f"{REPLAY_PREFIX}{session}:{channel}"


def is_replay(channel: str) -> bool:
    return channel.startswith(REPLAY_PREFIX)


def parse_channel(text: str) -> Channel:
    """The one grammar of client channels.

    Raises
    ------
    UnknownChannel
        If `text` is not ``status``, ``ticks:P``, ``surface:P``, ``bars:P:1m``, ``chain:P:YYYY-MM-DD`` or
        ``metrics:P:YYYY-MM-DD`` (``*`` stands for every expiry), nor ``replay:SESSION:`` before one of these that
        sessions have: all but surface and bars.
    """
    match = _CHANNEL.fullmatch(text)
    if match is None or (match["session"] and (match["whole"] == "surface" or match["interval"])):
        raise UnknownChannel(f"{text[:80]!r} is not a channel")
    session = match["session"]
    if match["status"]:
        return Channel("status", session=session)
    if match["whole"]:
        return Channel("ticks" if match["whole"] == "ticks" else "surface", match["whole_product"], session=session)
    if match["interval"]:
        return Channel("bars", match["bars_product"], interval="1m")
    if match["expiry"] != "*":
        try:
            date.fromisoformat(match["expiry"])
        except ValueError:
            raise UnknownChannel(f"{text!r} names no calendar date") from None
    kind: ChannelKind = "chain" if match["kind"] == "chain" else "metrics"
    return Channel(kind, match["product"], match["expiry"], session=session)
