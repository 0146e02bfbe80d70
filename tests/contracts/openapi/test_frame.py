"""What the frame promises, asked of a model service over HTTP: everything it answers is in its document."""

import copy
from collections.abc import Iterator

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aro.adapters.clock import SystemClock
from aro.adapters.tokens import TokenIssuer
from aro.testing.conformance import ask
from aro.testing.model_service import AUDIENCE, ISSUER, KEY, KID
from aro.testing.services import HttpService

EXAMPLES = 15


@pytest.fixture(scope="module")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def model(key: Ed25519PrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpService]:
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    service = HttpService("aro.testing.model_service", tmp_path_factory.mktemp("model"), {KEY: raw})
    try:
        service.start()
        yield service
    finally:
        service.kill()


@pytest.fixture(scope="module")
def token(key: Ed25519PrivateKey) -> str:
    return TokenIssuer(key, KID, issuer=ISSUER, audience=AUDIENCE, clock=SystemClock()).issue("somebody", "admin")


def document_of(service: HttpService) -> dict:
    return requests.get(f"{service.url}/openapi.json", timeout=5).json()


def test_everything_a_user_is_answered_is_documented(model: HttpService, token: str) -> None:
    found = ask(document_of(model), model.url, token=token, examples=EXAMPLES, known={"expiry": ["2026-12-29"]})
    assert found.failures == []
    assert found.cases > 400
    assert {200, 201, 204, 304, 400, 401, 404, 405, 409, 415, 422} <= set(found.statuses())


def test_everything_a_stranger_is_answered_is_documented(model: HttpService) -> None:
    found = ask(document_of(model), model.url, token=None, examples=EXAMPLES)
    assert found.failures == []
    guarded = [name for name in found.answers if "/api/v1/things" in name]
    assert guarded
    for name in guarded:
        # 404: what was made of a path parameter is another path; 405: another method.
        assert set(found.answers[name]) <= {401, 404, 405}


def test_an_undocumented_status_is_found(model: HttpService, token: str) -> None:
    lying = copy.deepcopy(document_of(model))
    del lying["paths"]["/api/v1/things"]["post"]["responses"]["201"]
    found = ask(lying, model.url, token=token, examples=5, phases=("fuzzing",))
    assert any("status_code_conformance" in failure and "201" in failure for failure in found.failures)


def test_an_undocumented_field_is_found(model: HttpService, token: str) -> None:
    lying = copy.deepcopy(document_of(model))
    del lying["components"]["schemas"]["Thing"]["properties"]["note"]
    found = ask(lying, model.url, token=token, examples=5, phases=("fuzzing",))
    assert any("note" in failure and "schema" in failure for failure in found.failures)


def test_the_same_question_is_asked_the_same_way(model: HttpService) -> None:
    first, second = (ask(document_of(model), model.url, token=None, examples=5, phases=("fuzzing",)) for _ in range(2))
    assert first.answers == second.answers
