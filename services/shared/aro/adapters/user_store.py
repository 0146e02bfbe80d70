"""The only door to ``users``."""

from dataclasses import dataclass, field
from typing import Final

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from aro.adapters.clock import utc
from aro.adapters.mongo import Document
from aro.contracts.names import COLLECTION_USERS
from aro.contracts.problems import Conflict

_BY_EMAIL: Final = "email_unique"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account. `email` is normalised; `created_ts` is UTC epoch milliseconds."""

    id: str
    email: str
    password_hash: str = field(repr=False)
    role: str
    created_ts: int


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
            "role": user.role,
            "created_at": utc(user.created_ts),
        }
        try:
            self._users.insert_one(document)
        except DuplicateKeyError:
            raise Conflict("an account with this e-mail exists already") from None

    def by_email(self, email: str) -> User | None:
        return _user(self._users.find_one({"email": email}))

    def by_id(self, user_id: str) -> User | None:
        return _user(self._users.find_one({"_id": user_id}))


def _user(document: Document | None) -> User | None:
    if document is None:
        return None
    return User(
        id=document["_id"],
        email=document["email"],
        password_hash=document["password_hash"],
        role=document["role"],
        created_ts=round(document["created_at"].timestamp() * 1000),
    )
