"""What auth keeps in MongoDB, and for how long."""

from collections.abc import Callable
from typing import Any

import pytest

from aro.adapters import mongo
from aro.adapters.invitation_store import Invitation, InvitationStore
from aro.adapters.mongo import MongoDatabase
from aro.adapters.personal_token_store import PersonalToken, PersonalTokenStore
from aro.adapters.session_store import Session, SessionStore
from aro.contracts.names import COLLECTION_PERSONAL_TOKENS, COLLECTION_SESSIONS, COLLECTION_USERS
from auth_service.app import Stores

NOW_MS = 1_795_000_000_000
HOUR = 3_600_000


@pytest.fixture
def stores(database: MongoDatabase) -> Stores:
    opened = Stores.of(database)
    opened.ensure()
    opened.ensure()
    return opened


def session(name: str, user: str = "u", *, expires_ms: int = NOW_MS + HOUR) -> Session:
    return Session(
        id=name,
        user_id=user,
        current=name,
        created_ts=NOW_MS,
        used_ts=NOW_MS,
        expires_ts=expires_ms,
        limit_ts=NOW_MS + 9 * HOUR,
        user_agent="",
        address="",
    )


def personal(name: str, user: str = "u") -> PersonalToken:
    return PersonalToken(id=name, user_id=user, name=name, digest=name, scopes=("read",), created_ts=NOW_MS)


def test_sessions_are_what_was_stored(stores: Stores) -> None:
    stored = session("a")
    stores.sessions.add(stored)
    assert stores.sessions.find("a") == stored
    assert stores.sessions.find("b") is None
    assert stores.sessions.live_of("u", NOW_MS) == [stored]
    assert stores.sessions.live_of("u", NOW_MS + HOUR) == []


def test_a_session_ends_once_and_by_its_owner(stores: Stores) -> None:
    store: SessionStore = stores.sessions
    store.add(session("a"))
    store.add(session("expired", expires_ms=NOW_MS - 1))
    assert not store.end("a", "logout", now_ms=NOW_MS, user_id="another")
    assert store.end("a", "logout", now_ms=NOW_MS, user_id="u")
    assert not store.end("a", "logout", now_ms=NOW_MS + 1)
    assert not store.end("expired", "logout", now_ms=NOW_MS)
    ended = store.find("a")
    assert ended is not None
    assert (ended.ended_ts, ended.end_reason) == (NOW_MS, "logout")
    assert not store.rotate(session("a"), used="a")


def test_what_ended_lately_is_found_and_what_expired_is_not(stores: Stores) -> None:
    store: SessionStore = stores.sessions
    for name in ("early", "late", "live"):
        store.add(session(name))
    store.add(session("expired", expires_ms=NOW_MS + 1))
    store.end("early", "logout", now_ms=NOW_MS - HOUR)
    store.end_many(["late", "nothing"], "logout_all", now_ms=NOW_MS)
    assert store.ended_since(NOW_MS - 1_000) == {"late": NOW_MS}
    assert store.ended_since(NOW_MS - 2 * HOUR) == {"late": NOW_MS, "early": NOW_MS - HOUR}
    stores.tokens.add(personal("p"))
    stores.tokens.add(personal("q"))
    assert stores.tokens.revoke("p", user_id="u", now_ms=NOW_MS)
    assert not stores.tokens.revoke("q", user_id="another", now_ms=NOW_MS)
    assert stores.tokens.revoked_since(NOW_MS) == {"p": NOW_MS}
    assert stores.tokens.revoked_since(NOW_MS + 1) == {}


def test_retention_takes_what_is_over_and_nothing_else(stores: Stores) -> None:
    for name in ("live", "ended"):
        stores.sessions.add(session(name))
    stores.sessions.add(session("expired", expires_ms=NOW_MS - 2 * HOUR))
    stores.sessions.end("ended", "logout", now_ms=NOW_MS - HOUR)
    for name in ("kept", "revoked"):
        stores.tokens.add(personal(name))
    stores.tokens.revoke("revoked", user_id="u", now_ms=NOW_MS - HOUR)
    invitations: InvitationStore = stores.invitations
    for name, expires_ms in (("open", NOW_MS + HOUR), ("over", NOW_MS - HOUR)):
        invitations.add(
            Invitation(
                id=name, digest=name, email=None, created_by="u", created_ts=NOW_MS - 2 * HOUR, expires_ts=expires_ms
            )
        )
    stores.expire(NOW_MS - 3 * HOUR)
    assert stores.sessions.find("expired") is not None
    stores.expire(NOW_MS)
    assert [stores.sessions.find(name) is not None for name in ("live", "ended", "expired")] == [True, False, False]
    assert [token.id for token in stores.tokens.of("u")] == ["kept"]
    assert stores.tokens.find("revoked") is None
    assert [item.id for item in invitations.open(now_ms=NOW_MS - 2 * HOUR)] == ["open"]


def test_a_personal_token_is_found_by_its_digest_alone(stores: Stores) -> None:
    store: PersonalTokenStore = stores.tokens
    store.add(personal("p"))
    found = store.by_digest("p")
    assert found == personal("p")
    store.touch("p", NOW_MS)
    assert store.by_digest("p").used_ts == NOW_MS  # type: ignore[union-attr]
    assert store.by_digest("q") is None


def test_an_invitation_is_claimed_and_released(stores: Stores) -> None:
    store: InvitationStore = stores.invitations
    made = Invitation(
        id="i", digest="d", email="ann@example.com", created_by="u", created_ts=NOW_MS, expires_ts=NOW_MS + HOUR
    )
    store.add(made)
    claim: dict[str, Any] = {"user_id": "new", "now_ms": NOW_MS}
    assert not store.claim("d", email="bob@example.com", **claim)
    assert not store.claim("d", email="ann@example.com", user_id="new", now_ms=NOW_MS + HOUR)
    assert store.claim("d", email="ann@example.com", **claim)
    assert not store.claim("d", email="ann@example.com", **claim)
    store.release("d", user_id="somebody else")
    assert store.open(now_ms=NOW_MS) == []
    store.release("d", user_id="new")
    assert store.open(now_ms=NOW_MS) == [made]


def test_a_stored_database_tells_no_token(make_inside: Callable[..., Any]) -> None:
    api = make_inside()
    person = api.person()
    pair = person.pair()
    refreshed = api.refresh(pair["refresh_token"]).json()
    personal_token = api.post("/tokens", {"name": "script"}, pair["access_token"]).json()["token"]
    settings = api.service.settings
    database = mongo.connect(settings["ARO_MONGO_URL"], settings["ARO_MONGO_DATABASE"])
    names = (COLLECTION_SESSIONS, COLLECTION_PERSONAL_TOKENS, COLLECTION_USERS)
    text = str([list(database[name].find()) for name in names])
    database.client.close()
    assert person.email in text
    for token in (pair["refresh_token"], refreshed["refresh_token"], personal_token):
        assert token.split("_", 2)[2][:22] not in text
        assert token[-43:] not in text
    assert "correct horse" not in text


def test_a_stronger_profile_is_taken_over_at_the_next_login(make_inside: Callable[..., Any]) -> None:
    before = make_inside()
    person = before.person()
    settings = before.service.settings
    shared = {name: settings[name] for name in ("ARO_MONGO_DATABASE", "ARO_AUTH_KEY_DIR")}
    after = make_inside({**shared, "ARO_PASSWORD_PROFILE": "rfc9106-low-memory"})
    database = mongo.connect(settings["ARO_MONGO_URL"], settings["ARO_MONGO_DATABASE"])
    users = database[COLLECTION_USERS]

    def stored() -> str:
        return str(users.find_one({"email": person.email})["password_hash"])  # type: ignore[index]

    body = {"email": person.email, "password": "correct horse"}
    assert stored().startswith("$argon2id$v=19$m=19456,")
    pair = before.post("/login", body).json()
    assert after.post("/login", {**body, "password": "wrong horse"}).status_code == 401
    assert stored().startswith("$argon2id$v=19$m=19456,")
    assert after.post("/login", body).status_code == 200
    assert stored().startswith("$argon2id$v=19$m=65536,")
    # It is the same password: nobody was logged out, and either service takes it.
    assert after.get("/me", pair["access_token"]).status_code == 200
    assert before.post("/login", body).status_code == 200
    database.client.close()
