"""Secrets do not get into lines, whatever they are wrapped in; and what is no secret stays."""

import base64
import json
import string
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.runtime.redaction import MASK, MAX_ITEMS, MAX_TEXT, clean, clean_object, is_secret_name, redact_text
from aro.runtime.settings import Secret

URL_SAFE = string.ascii_letters + string.digits + "-_"
secrets = st.text(alphabet=URL_SAFE, min_size=16, max_size=60)
surroundings = st.text(alphabet=string.ascii_lowercase + " .,()[]", max_size=12)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(signature: str) -> str:
    return f"{base64url(json.dumps({'alg': 'EdDSA'}).encode())}.{base64url(b'{}' * 8)}.{signature}"


CARRIERS = {
    "JWT": lambda s: jwt(s),
    "bearer header": lambda s: f"Authorization: Bearer {s}",
    "header of requests": lambda s: str({"Authorization": f"Bearer {s}"}),
    "header as bytes": lambda s: str([(b"Authorization", f"Bearer {s}".encode())]),
    "personal token": lambda s: f"aro_pat_{s}",
    "refresh token": lambda s: f"aro_rt_{s}",
    "invitation": lambda s: f"aro_inv_{s}",
    "mongo url": lambda s: f"mongodb://root:{s}@mongo:27017/?authSource=admin",
    "redis url": lambda s: f"redis://:{s}@127.0.0.1:6379/0",
    "password with an at sign": lambda s: f"mongodb://root:p@{s}@mongo:27017/",
    "json": lambda s: json.dumps({"password": s}),
    "json with spaces": lambda s: json.dumps({"new_password": f"a {s} b"}),
    "json in json": lambda s: json.dumps(json.dumps({"refresh_token": s})),
    "repr of a dict": lambda s: repr({"password": s}),
    "repr of items": lambda s: repr(list({"refresh_token": s}.items())),
    "query": lambda s: f"/login?user=x&access_token={s}&y=1",
    "keyword": lambda s: f"login(email='x', password='{s}')",
    "assignment": lambda s: f"client_secret = {s}",
    "cookie": lambda s: f"Cookie: theme=dark; session={s}",
    "basic": lambda s: f"Basic {base64.b64encode(s.encode()).decode()}",
}


@pytest.mark.parametrize("carrier", CARRIERS)
@given(secret=secrets, before=surroundings, after=surroundings)
def test_a_secret_does_not_survive(carrier: str, secret: str, before: str, after: str) -> None:
    carried = CARRIERS[carrier](secret)
    hidden = base64.b64encode(secret.encode()).decode() if carrier == "basic" else secret
    cleaned = json.dumps(clean({"message": f"{before} {carried}\n{after}", "list": [{"x": carried}], carried: 1}))
    assert hidden not in cleaned


@given(secret=secrets, name=st.sampled_from(["password", "X-Api-Token", "Set-Cookie", "clientSecret", "AUTHORIZATION"]))
def test_a_secret_name_shows_no_value(secret: str, name: str) -> None:
    assert is_secret_name(name)
    for value in (secret, [secret], {"deep": {"er": secret}}, secret.encode()):
        assert secret not in json.dumps(clean({"outer": {name: value}}))


def test_settings_and_tracebacks_show_no_secret() -> None:
    @dataclass
    class Settings:
        url: Secret
        password: str

    settings = Settings(Secret("redis://:hunter2@h/"), "hunter2")
    assert "hunter2" not in json.dumps(
        clean({"url": settings.url, "settings": settings, "both": [settings, b"hunter"]})
    )


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/v1/chains/<product> 200",
        "https://example.com/a?b=c",
        "NIFTY|2026-12-29|1795000000000",
        "5 tokens were verified",
        "mongodb refused documents: E11000 duplicate key",
        'File "/app/tokens.py", line 3, in verify',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text() | st.integers(), inner, max_size=5),
    max_leaves=40,
)


@given(value=json_values)
def test_anything_becomes_json_and_cleaning_twice_changes_nothing(value: Any) -> None:
    once = clean({"value": value})
    data = msgspec.json.encode(once)
    assert json.loads(data) == once
    assert clean(once) == once


def test_sizes_are_bounded() -> None:
    huge = clean({"text": "é" * 1_000_000, "list": list(range(10_000)), **{str(n): n for n in range(1_000)}})
    assert len(huge) == MAX_ITEMS
    assert len(huge["text"]) <= MAX_TEXT
    assert len(huge["list"]) == MAX_ITEMS
    deep: Any = "bottom"
    for _ in range(500):
        deep = {"down": deep}
    assert len(json.dumps(clean(deep))) < 2 * MAX_TEXT


def test_what_cannot_be_shown_is_named() -> None:
    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert clean_object({"rude": Rude(), "high": "\ud800", "big": 2**70, "nan": float("nan")}) == {
        "rude": "<Rude>",
        "high": "?",
        "big": str(2**70),
        "nan": None,
    }


def test_a_cut_leaves_no_half_of_a_secret() -> None:
    for offset in range(0, 200, 7):
        text = "x" * (MAX_TEXT - offset) + " " + jwt("s" * 80) + " tail"
        assert "eyJ" not in clean(text)


def test_the_mask_is_visible() -> None:
    assert redact_text("password=hunter2") == f"password={MASK}"
