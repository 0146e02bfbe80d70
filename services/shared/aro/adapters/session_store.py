"""The only door to ``sessions``: log-ins, each with the digests of its newest two refresh tokens."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from pymongo import ASCENDING, ReturnDocument
from pymongo.database import Database

from aro.adapters.clock import epoch_ms, utc
from aro.adapters.mongo import Document
from aro.contracts.names import COLLECTION_SESSIONS

MAX_LISTED: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """The last exchange of a refresh token. `previous` is the digest of the one given up, `salt` made its successor."""

    previous: str
    salt: str = field(repr=False)
    at_ts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A log-in. Times are UTC epoch milliseconds.

    `current` is the digest of the one refresh token that is good now. `expires_ts` is when it ends if nobody uses it,
    never later than `limit_ts`. An ended session has `ended_ts` and keeps its document for a while.
    """

    id: str
    user_id: str
    current: str
    created_ts: int
    used_ts: int
    expires_ts: int
    limit_ts: int
    user_agent: str
    address: str
    rotation: Rotation | None = None
    ended_ts: int | None = None
    end_reason: str | None = None

    def is_live(self, now_ms: int) -> bool:
        return self.ended_ts is None and now_ms < self.expires_ts


class SessionStore:
    def __init__(self, database: Database[Document]) -> None:
        self._sessions = database[COLLECTION_SESSIONS]

    def ensure(self) -> None:
        """Create the indexes. Safe to repeat. Refresh tokens need none: they name the session that they belong to."""
        self._sessions.create_index([("user_id", ASCENDING)], name="user")
        self._sessions.create_index([("expires_at", ASCENDING)], name="expires_at")

    def add(self, session: Session) -> None:
        self._sessions.insert_one(_document(session))

    def find(self, session_id: str) -> Session | None:
        """Also one that has ended."""
        return _session(self._sessions.find_one({"_id": session_id}))

    def rotate(self, session: Session, *, used: str) -> bool:
        """Store `session` as it is after its refresh token `used` was exchanged.

        False, and nothing is changed, if `used` is not the current one any more or the session has ended: of
        concurrent calls exactly one succeeds.
        """
        document = _document(session)
        fields = ("current", "rotation", "used_at", "expires_at", "user_agent", "address")
        found = self._sessions.find_one_and_update(
            {"_id": session.id, "current": used, "ended_at": None},
            {"$set": {name: document[name] for name in fields}},
            projection={"_id": True},
        )
        return found is not None

    def live_of(self, user_id: str, now_ms: int) -> list[Session]:
        """The sessions of an account that have not ended, the one used last first."""
        found = self._sessions.find({"user_id": user_id, "ended_at": None}).limit(MAX_LISTED)
        sessions = [session for session in map(_session, found) if session is not None and session.is_live(now_ms)]
        return sorted(sessions, key=lambda session: session.used_ts, reverse=True)

    def end(self, session_id: str, reason: str, *, now_ms: int, user_id: str | None = None) -> bool:
        """False if there is no live session of this id, or, given `user_id`, none of that account."""
        owner = {} if user_id is None else {"user_id": user_id}
        found = self._sessions.find_one_and_update(
            {"_id": session_id, **owner, "ended_at": None, "expires_at": {"$gt": utc(now_ms)}},
            {"$set": _ending(reason, now_ms)},
            projection={"_id": True},
            return_document=ReturnDocument.AFTER,
        )
        return found is not None

    def end_many(self, session_ids: Iterable[str], reason: str, *, now_ms: int) -> None:
        self._sessions.update_many(
            {"_id": {"$in": list(session_ids)}, "ended_at": None}, {"$set": _ending(reason, now_ms)}
        )

    def ended_since(self, since_ms: int) -> dict[str, int]:
        """Id → when it ended, of the sessions that were ended at `since_ms` or later. Those that expired are not."""
        # An ended session expires as it ends: one index serves this, retention, and nothing else is needed.
        found = self._sessions.find(
            {"expires_at": {"$gte": utc(since_ms)}, "ended_at": {"$gte": utc(since_ms)}}, {"ended_at": True}
        )
        return {document["_id"]: epoch_ms(document["ended_at"]) for document in found}

    def expire(self, *, before_ms: int) -> int:
        """Forget sessions that ended or expired before `before_ms`; how many."""
        return self._sessions.delete_many({"expires_at": {"$lt": utc(before_ms)}}).deleted_count


def _ending(reason: str, now_ms: int) -> Document:
    return {"ended_at": utc(now_ms), "end_reason": reason, "expires_at": utc(now_ms)}


def _document(session: Session) -> Document:
    rotation = session.rotation
    return {
        "_id": session.id,
        "user_id": session.user_id,
        "current": session.current,
        "rotation": None
        if rotation is None
        else {"previous": rotation.previous, "salt": rotation.salt, "at": utc(rotation.at_ts)},
        "created_at": utc(session.created_ts),
        "used_at": utc(session.used_ts),
        "expires_at": utc(session.expires_ts),
        "limit_at": utc(session.limit_ts),
        "user_agent": session.user_agent,
        "address": session.address,
        "ended_at": None,
        "end_reason": None,
    }


def _session(document: Document | None) -> Session | None:
    if document is None:
        return None
    session = Session(
        id=document["_id"],
        user_id=document["user_id"],
        current=document["current"],
        created_ts=epoch_ms(document["created_at"]),
        used_ts=epoch_ms(document["used_at"]),
        expires_ts=epoch_ms(document["expires_at"]),
        limit_ts=epoch_ms(document["limit_at"]),
        user_agent=document["user_agent"],
        address=document["address"],
        end_reason=document["end_reason"],
    )
    rotation, ended = document["rotation"], document["ended_at"]
    if rotation is not None:
        made = Rotation(previous=rotation["previous"], salt=rotation["salt"], at_ts=epoch_ms(rotation["at"]))
        session = replace(session, rotation=made)
    return session if ended is None else replace(session, ended_ts=epoch_ms(ended))
