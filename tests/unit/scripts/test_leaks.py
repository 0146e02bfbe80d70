import base64

import leaks
import pytest


def token():
    part = base64.urlsafe_b64encode(b'{"alg":"EdDSA","typ":"at+jwt"}').decode().rstrip("=")
    return f"{part}.{part}.{'s' * 43}"


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN " + "PRIVATE KEY-----\n" + "MC4CAQAwBQYDK2VwBCIEI" + "A" * 20,
        token(),
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "redis://:" + "correct-horse@cache:6379/0",
        "pip install --index" + "-url https://mirror/simple x",
        '"resolved": "' + 'https://mirror/x.tgz"',
        "cd /wor" + "k/main && ls",
        "/ro" + "ot/.venv/bin/python",
        "see /ho" + "me/alice/notes",
    ],
)
def test_leak_is_found(text):
    assert [line for line, _ in leaks.leaks(f"first line\n{text}\n")] == [2]


@pytest.mark.parametrize(
    "text",
    [
        "redis://:${REDIS_PASSWORD}@redis:6379/0",
        "redis://:{password}@{host}",
        "redis://127.0.0.1:6379/0",
        "services/worker/tasks.py",
        "${HOME}/.local/state",
        "https://example.com/work/paper",
        "Authorization: Bearer <token>",
    ],
)
def test_harmless_text_is_not(text):
    assert list(leaks.leaks(text)) == []
