"""The only door to ``invitations``: single-use permissions to register, kept as digests."""

from dataclasses import dataclass
from typing import Final

from pymongo import ASCENDING
from pymongo.database import Database

from aro.adapters.clock import epoch_ms, utc
from aro.adapters.mongo import Document
from aro.contracts.names import COLLECTION_INVITATIONS

MAX_LISTED: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """`email`, if any, is the only one that may use it. `created_by` is an account's id, or how else it was made."""

    id: str
    digest: str
    email: str | None
    created_by: str
    created_ts: int
    expires_ts: int


class InvitationStore:
    def __init__(self, database: Database[Document]) -> None:
        self._invitations = database[COLLECTION_INVITATIONS]

    def ensure(self) -> None:
        """Create the indexes. Safe to repeat."""
        self._invitations.create_index([("digest", ASCENDING)], name="digest_unique", unique=True)
        self._invitations.create_index([("expires_at", ASCENDING)], name="expires_at")

    def add(self, invitation: Invitation) -> None:
        self._invitations.insert_one(
            {
                "_id": invitation.id,
                "digest": invitation.digest,
                "email": invitation.email,
                "created_by": invitation.created_by,
                "created_at": utc(invitation.created_ts),
                "expires_at": utc(invitation.expires_ts),
                "used_by": None,
            }
        )

    def open(self, *, now_ms: int) -> list[Invitation]:
        """What can still be used, the one that expires first first."""
        found = self._invitations.find({"expires_at": {"$gt": utc(now_ms)}, "used_by": None}).limit(MAX_LISTED)
        return sorted(map(_invitation, found), key=lambda invitation: invitation.expires_ts)

    def usable(self, digest: str, *, email: str, now_ms: int) -> Invitation | None:
        """The invitation behind `digest` if `email` may use it now."""
        document = self._invitations.find_one(_usable(digest, email, now_ms))
        return None if document is None else _invitation(document)

    def claim(self, digest: str, *, email: str, user_id: str, now_ms: int) -> bool:
        """Use it up for `user_id`. Of concurrent calls exactly one succeeds."""
        found = self._invitations.find_one_and_update(
            _usable(digest, email, now_ms), {"$set": {"used_by": user_id}}, projection={"_id": True}
        )
        return found is not None

    def release(self, digest: str, *, user_id: str) -> None:
        """Undo `claim`: the account was not made."""
        self._invitations.update_one({"digest": digest, "used_by": user_id}, {"$set": {"used_by": None}})

    def withdraw(self, invitation_id: str) -> bool:
        """False if there is no unused invitation of this id."""
        return self._invitations.delete_one({"_id": invitation_id, "used_by": None}).deleted_count == 1

    def expire(self, *, before_ms: int) -> int:
        """Forget, used or not, what expired before `before_ms`; how many."""
        return self._invitations.delete_many({"expires_at": {"$lt": utc(before_ms)}}).deleted_count


def _usable(digest: str, email: str, now_ms: int) -> Document:
    return {
        "digest": digest,
        "email": {"$in": [None, email]},
        "used_by": None,
        "expires_at": {"$gt": utc(now_ms)},
    }


def _invitation(document: Document) -> Invitation:
    return Invitation(
        id=document["_id"],
        digest=document["digest"],
        email=document["email"],
        created_by=document["created_by"],
        created_ts=epoch_ms(document["created_at"]),
        expires_ts=epoch_ms(document["expires_at"]),
    )
