"""The only door to ``users``."""

from dataclasses import dataclass, field
from typing import Any, Final

from pymongo import ASCENDING, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from aro.adapters.clock import epoch_ms, utc
from aro.adapters.mongo import Document
from aro.contracts.names import COLLECTION_USERS
from aro.contracts.problems import Conflict

_BY_EMAIL: Final = "email_unique"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account. `email` is normalised; times are UTC epoch milliseconds.

    `password_ts` is when the password was chosen: it stays when only its hash is made anew.
    """

    id: str
    email: str
    password_hash: str = field(repr=False)
    password_ts: int
    role: str
    created_ts: int
    verified_ts: int | None = None
    disabled_ts: int | None = None


class UserStore:
    def __init__(self, database: Database[Document]) -> None:
        self._users = database[COLLECTION_USERS]

    def ensure(self) -> None:
        """Create the index that makes an e-mail unique. Safe to repeat; nothing may be added before it exists."""
        self._users.create_index([("email", ASCENDING)], name=_BY_EMAIL, unique=True)

    def add(self, user: User) -> None:
        """Raises `Conflict` if the e-mail has an account already; of concurrent calls exactly one succeeds."""
        document = {
            "_id": user.id,
            "email": user.email,
            "password_hash": user.password_hash,
            "password_at": utc(user.password_ts),
            "role": user.role,
            "created_at": utc(user.created_ts),
            "verified_at": None if user.verified_ts is None else utc(user.verified_ts),
            "disabled_at": None,
        }
        try:
            self._users.insert_one(document)
        except DuplicateKeyError:
            raise Conflict("an account with this e-mail exists already") from None

    def by_email(self, email: str) -> User | None:
        return _user(self._users.find_one({"email": email}))

    def by_id(self, user_id: str) -> User | None:
        return _user(self._users.find_one({"_id": user_id}))

    def page(self, *, after: str, limit: int) -> list[User]:
        """At most `limit` accounts in the order of their e-mails, from the first one behind `after`."""
        found = self._users.find({"email": {"$gt": after}}).sort("email", ASCENDING).limit(limit)
        return [user for user in map(_user, found) if user is not None]

    def rehash(self, user_id: str, *, old: str, new: str) -> None:
        """Replace the hash `old` of the same password; nothing happens if another process was first."""
        self._users.update_one({"_id": user_id, "password_hash": old}, {"$set": {"password_hash": new}})

    def set_password(self, user_id: str, password_hash: str, *, now_ms: int, chosen_ts: int | None = None) -> bool:
        """False if the account is gone, or if its password is not the one chosen at `chosen_ts` any more."""
        match: dict[str, Any] = {"_id": user_id}
        if chosen_ts is not None:
            match["$or"] = [{"password_at": utc(chosen_ts)}, {"password_at": None, "created_at": utc(chosen_ts)}]
        change = {"$set": {"password_hash": password_hash, "password_at": utc(now_ms)}}
        return self._users.update_one(match, change).matched_count == 1

    def set_role(self, user_id: str, role: str) -> User | None:
        """The account as it is now; None if it is gone."""
        return self._set(user_id, {"role": role})

    def set_verified(self, user_id: str, now_ms: int) -> User | None:
        return self._set(user_id, {"verified_at": utc(now_ms)})

    def set_disabled(self, user_id: str, since_ms: int | None) -> User | None:
        """`since_ms` None enables it again."""
        return self._set(user_id, {"disabled_at": None if since_ms is None else utc(since_ms)})

    def _set(self, user_id: str, fields: Document) -> User | None:
        return _user(
            self._users.find_one_and_update({"_id": user_id}, {"$set": fields}, return_document=ReturnDocument.AFTER)
        )


def _user(document: Document | None) -> User | None:
    if document is None:
        return None
    created = document["created_at"]
    verified, disabled = document.get("verified_at"), document.get("disabled_at")
    return User(
        id=document["_id"],
        email=document["email"],
        password_hash=document["password_hash"],
        password_ts=epoch_ms(document.get("password_at") or created),
        role=document["role"],
        created_ts=epoch_ms(created),
        verified_ts=None if verified is None else epoch_ms(verified),
        disabled_ts=None if disabled is None else epoch_ms(disabled),
    )
