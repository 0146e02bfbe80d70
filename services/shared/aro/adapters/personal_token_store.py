"""The only door to ``personal_tokens``: what scripts show instead of a password, kept as digests."""

from dataclasses import dataclass
from typing import Final

from pymongo import ASCENDING
from pymongo.database import Database

from aro.adapters.clock import epoch_ms, utc
from aro.adapters.mongo import Document
from aro.contracts.names import COLLECTION_PERSONAL_TOKENS

MAX_LISTED: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalToken:
    """Times are UTC epoch milliseconds. `digest` is the SHA-256 of the token's text."""

    id: str
    user_id: str
    name: str
    digest: str
    scopes: tuple[str, ...]
    created_ts: int
    expires_ts: int | None = None
    used_ts: int | None = None
    revoked_ts: int | None = None


class PersonalTokenStore:
    def __init__(self, database: Database[Document]) -> None:
        self._tokens = database[COLLECTION_PERSONAL_TOKENS]

    def ensure(self) -> None:
        """Create the indexes. Safe to repeat."""
        self._tokens.create_index([("digest", ASCENDING)], name="digest_unique", unique=True)
        self._tokens.create_index([("user_id", ASCENDING)], name="user")
        self._tokens.create_index([("revoked_at", ASCENDING)], name="revoked_at")

    def add(self, token: PersonalToken) -> None:
        self._tokens.insert_one(
            {
                "_id": token.id,
                "user_id": token.user_id,
                "name": token.name,
                "digest": token.digest,
                "scopes": list(token.scopes),
                "created_at": utc(token.created_ts),
                "expires_at": None if token.expires_ts is None else utc(token.expires_ts),
                "used_at": None,
                "revoked_at": None,
            }
        )

    def find(self, token_id: str) -> PersonalToken | None:
        """Also one that was revoked or has expired."""
        return _token(self._tokens.find_one({"_id": token_id}))

    def by_digest(self, digest: str) -> PersonalToken | None:
        return _token(self._tokens.find_one({"digest": digest}))

    def of(self, user_id: str) -> list[PersonalToken]:
        """What an account has not revoked, the newest first."""
        found = self._tokens.find({"user_id": user_id, "revoked_at": None}).limit(MAX_LISTED)
        tokens = [token for token in map(_token, found) if token is not None]
        return sorted(tokens, key=lambda token: token.created_ts, reverse=True)

    def touch(self, token_id: str, now_ms: int) -> None:
        self._tokens.update_one({"_id": token_id}, {"$set": {"used_at": utc(now_ms)}})

    def revoke(self, token_id: str, *, user_id: str, now_ms: int) -> bool:
        """False if this account has no such token, or has revoked it already."""
        match = {"_id": token_id, "user_id": user_id, "revoked_at": None}
        return self._tokens.update_one(match, {"$set": {"revoked_at": utc(now_ms)}}).matched_count == 1

    def revoked_since(self, since_ms: int) -> dict[str, int]:
        """Id → when it was revoked, of those revoked at `since_ms` or later."""
        found = self._tokens.find({"revoked_at": {"$gte": utc(since_ms)}}, {"revoked_at": True})
        return {document["_id"]: epoch_ms(document["revoked_at"]) for document in found}

    def expire(self, *, before_ms: int) -> int:
        """Forget what was revoked before `before_ms`; how many. What expired stays listed until it is revoked."""
        return self._tokens.delete_many({"revoked_at": {"$lt": utc(before_ms)}}).deleted_count


def _token(document: Document | None) -> PersonalToken | None:
    if document is None:
        return None
    expires, used, revoked = document["expires_at"], document["used_at"], document["revoked_at"]
    return PersonalToken(
        id=document["_id"],
        user_id=document["user_id"],
        name=document["name"],
        digest=document["digest"],
        scopes=tuple(document["scopes"]),
        created_ts=epoch_ms(document["created_at"]),
        expires_ts=None if expires is None else epoch_ms(expires),
        used_ts=None if used is None else epoch_ms(used),
        revoked_ts=None if revoked is None else epoch_ms(revoked),
    )
