"""What documents look like: a JSON schema for every collection, enforced by the server.

Fields that are named must have their type, those that are `required` must be there, and others may be: a newer process
that stores more runs beside an older one.
"""

import types
import typing
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from aro.adapters.alert_store import Alert
from aro.contracts import names
from aro.contracts.analytics import ChainMetrics, EnrichedTick, IvHistoryPoint

Schema = dict[str, Any]

STRING: Final[Schema] = {"bsonType": "string"}
NUMBER: Final[Schema] = {"bsonType": ["double", "int", "long"]}
WHOLE: Final[Schema] = {"bsonType": ["int", "long"]}
DATE: Final[Schema] = {"bsonType": "date"}
BYTES: Final[Schema] = {"bsonType": "binData"}
OBJECT: Final[Schema] = {"bsonType": "object"}
ARRAY: Final[Schema] = {"bsonType": "array"}
FLAG: Final[Schema] = {"bsonType": "bool"}

_OF_PYTHON: Final[Mapping[Any, str | list[str]]] = {
    str: "string",
    int: ["int", "long"],
    float: ["double", "int", "long"],
    bool: "bool",
    list: "array",
    dict: "object",
    types.NoneType: "null",
}


def or_null(schema: Schema) -> Schema:
    return {"bsonType": [*_kinds(schema["bsonType"]), "null"]}


def described(required: Mapping[str, Schema], optional: Mapping[str, Schema] = types.MappingProxyType({})) -> Schema:
    return {"bsonType": "object", "required": [*required], "properties": {**required, **optional}}


def of_struct(struct: type[msgspec.Struct], *, key: str | None = None, **more: Schema) -> Schema:
    """Of documents that hold the fields of `struct`, the field `key` as their `_id`, and `more`. Those without default
    must be there."""
    hints = typing.get_type_hints(struct)
    fields = [item for item in msgspec.structs.fields(struct) if item.name != key]
    checked = {item.name: {"bsonType": _bson(hints[item.name])} for item in fields}
    return {
        "bsonType": "object",
        "required": ["_id", *(item.name for item in fields if item.required), *more],
        "properties": {"_id": STRING, **checked, **more},
    }


def _bson(hint: Any) -> str | list[str]:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return [kind for arm in typing.get_args(hint) for kind in _kinds(_bson(arm))]
    if origin is Literal:  # a newer process may know more words
        return "string"
    return _OF_PYTHON[origin or hint]


def _kinds(bson: str | list[str]) -> list[str]:
    return [bson] if isinstance(bson, str) else bson


_OF_CHAIN: Final = {"_id": STRING, "product": STRING, "expiry": STRING, "source_seq": WHOLE, "source_at": DATE}


def complete(schema: Schema) -> Schema:
    """That nothing `required` is missing, without a look at types: for what is written thousands of times a second.

    To look at six of them takes the embedded server 0.03 ms of 0.15 for an insert, and whoever writes has them typed.
    """
    return {"bsonType": schema["bsonType"], "required": schema["required"]}


VALIDATORS: Final[Mapping[str, Schema]] = {
    names.COLLECTION_CHAINS: complete(described({**_OF_CHAIN, "data": BYTES})),
    names.COLLECTION_LATEST: described({**_OF_CHAIN, "expiry_ts": WHOLE, "source_ts": WHOLE}, {"data": BYTES}),
    names.COLLECTION_METRICS: complete(of_struct(ChainMetrics, key="id", source_at=DATE)),
    names.COLLECTION_TICKS: of_struct(EnrichedTick, key="id", source_at=DATE),
    names.COLLECTION_IV_HISTORY: of_struct(IvHistoryPoint, source_at=DATE),
    names.COLLECTION_SURFACES: described(
        {"_id": STRING, "product": STRING, "source_seq": WHOLE, "source_ts": WHOLE, "source_at": DATE, "data": BYTES}
    ),
    names.COLLECTION_BARS: described(
        {"_id": STRING, "product": STRING, "expiry": STRING, "source_at": DATE, "metrics": OBJECT}
    ),
    names.COLLECTION_PASSED_OVER: described({"_id": STRING, "stream": STRING, "entries": WHOLE}),
    names.COLLECTION_PASSED_OVER_BLOCKS: described({"_id": STRING, "data": BYTES}),
    names.COLLECTION_PRESENCE: described({"_id": STRING, "minutes": WHOLE, "source_at": DATE}),
    names.COLLECTION_USERS: described(
        {"_id": STRING, "email": STRING, "password_hash": STRING, "role": STRING, "created_at": DATE},
        {"password_at": or_null(DATE), "verified_at": or_null(DATE), "disabled_at": or_null(DATE)},
    ),
    names.COLLECTION_SESSIONS: described(
        {
            "_id": STRING,
            "user_id": STRING,
            "current": STRING,
            "created_at": DATE,
            "used_at": DATE,
            "expires_at": DATE,
            "limit_at": DATE,
        },
        {
            "rotation": or_null(OBJECT),
            "ended_at": or_null(DATE),
            "end_reason": or_null(STRING),
            "user_agent": STRING,
            "address": STRING,
        },
    ),
    names.COLLECTION_PERSONAL_TOKENS: described(
        {"_id": STRING, "user_id": STRING, "name": STRING, "digest": STRING, "scopes": ARRAY, "created_at": DATE},
        {"expires_at": or_null(DATE), "used_at": or_null(DATE), "revoked_at": or_null(DATE)},
    ),
    names.COLLECTION_INVITATIONS: described(
        {"_id": STRING, "digest": STRING, "created_by": STRING, "created_at": DATE, "expires_at": DATE},
        {"email": or_null(STRING), "used_by": or_null(STRING)},
    ),
    names.COLLECTION_LOGS: described(
        {"_id": STRING, "at": DATE, "at_us": WHOLE, "service": STRING, "severity": WHOLE, "keys": ARRAY, "line": BYTES}
    ),
    names.COLLECTION_LOG_HOURS: described(
        {"_id": WHOLE}, {"lines": WHOLE, "bytes": WHOLE, "alerts": WHOLE, "minutes": OBJECT, "services": ARRAY}
    ),
    names.COLLECTION_ALERTS: of_struct(Alert, key="id"),
    names.COLLECTION_ALERT_EVENTS: described(
        {"_id": STRING, "alert": STRING, "owner": STRING, "snapshot": STRING, "source_at": DATE}
    ),
    names.COLLECTION_MIGRATIONS: described({"_id": WHOLE, "name": STRING, "applied_at": DATE}),
}
