"""Personal token → access token, asked of auth as any script could."""

from contextvars import ContextVar
from typing import Final

import msgspec

from api_gateway import metrics
from api_gateway.failures import UpstreamGarbled
from api_gateway.upstream import Call, Reply, Terms, Upstream
from aro.contracts.problems import (
    AroError,
    NotAuthenticated,
    RateLimited,
    ServiceUnavailable,
    TokenExpired,
    TokenRevoked,
)

PATH: Final = "/api/v1/auth/tokens/exchange"
SECONDS: Final = 3.0
_KINDS: Final = {kind.code: kind for kind in (NotAuthenticated, TokenExpired, TokenRevoked)}


class _Tokens(msgspec.Struct):
    access_token: str


class _Problem(msgspec.Struct):
    code: str = ""
    detail: str = "the personal token was refused"


CALLER: Final[ContextVar[dict[str, str]]] = ContextVar("caller", default={})  # noqa: B039 - nobody changes it
"""Headers that tell auth about the request that the present thread answers: its id, and the address that guesses are
limited by."""


class TokenExchange:
    def __init__(self, auth: Upstream) -> None:
        self._auth = auth

    def __call__(self, personal_token: str) -> str:
        """Raises `NotAuthenticated` kinds, `RateLimited`, or `ServiceUnavailable` kinds."""
        headers = {"Authorization": f"Bearer {personal_token}", **CALLER.get()}
        try:
            token = _access_token(self._auth.ask(Call("POST", PATH, headers), Terms(SECONDS)))
        except NotAuthenticated:
            metrics.exchanges.labels("refused").inc()
            raise
        except AroError:
            metrics.exchanges.labels("failed").inc()
            raise
        metrics.exchanges.labels("ok").inc()
        return token


def _access_token(reply: Reply) -> str:
    if not isinstance(reply.body, bytes):
        reply.body.close()
        raise UpstreamGarbled("the auth service gave no sensible answer")
    try:
        if reply.status == 200:
            return msgspec.json.decode(reply.body, type=_Tokens).access_token
        problem = msgspec.json.decode(reply.body, type=_Problem)
    except msgspec.DecodeError:
        raise UpstreamGarbled("the auth service gave no sensible answer") from None
    if reply.status in (401, 403):
        raise _KINDS.get(problem.code, NotAuthenticated)(problem.detail)
    if reply.status == 429:
        raise RateLimited(problem.detail, retry_after=_retry_after(reply))
    raise ServiceUnavailable("personal tokens cannot be exchanged at the moment; try again")


def _retry_after(reply: Reply) -> int:
    text = next((value for name, value in reply.headers if name.lower() == "retry-after"), "")
    return int(text) if text.isdecimal() else 1
