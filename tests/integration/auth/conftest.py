"""The auth service of these tests."""

import pytest

from aro.testing.services import HttpService


@pytest.fixture(scope="session")
def auth(auth_process: HttpService) -> HttpService:
    return auth_process
