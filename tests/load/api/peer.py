"""What anybody would write: one FastAPI endpoint that verifies the token and answers bytes from Redis.

Served by uvicorn with uvloop and httptools. PEER_REMEMBERS=1 lets it keep the claims of tokens that it has verified;
PEER_COMPRESSES=1 adds FastAPI's own gzip. No limits, no logs, no metrics.
"""

import json
import os
import time
from typing import Any

import jwt
import redis.asyncio as redis
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.middleware.gzip import GZipMiddleware

KEYS = {entry["kid"]: jwt.PyJWK(entry).key for entry in json.loads(os.environ["PEER_JWKS"])["keys"]}
REQUIRED = ["iss", "aud", "exp", "iat", "sub", "jti"]
REMEMBERS = os.environ.get("PEER_REMEMBERS") == "1"

app = FastAPI()
store = redis.Redis.from_url(os.environ["PEER_REDIS_URL"])
known: dict[str, dict[str, Any]] = {}
if os.environ.get("PEER_COMPRESSES") == "1":
    app.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=4)


def verify(authorization: str) -> dict[str, Any]:
    token = authorization.removeprefix("Bearer ")
    claims = known.get(token)
    if claims is not None and claims["exp"] > time.time():
        return claims
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(
            token,
            KEYS[header["kid"]],
            algorithms=["EdDSA"],
            issuer="option-aro-auth",
            audience="option-aro",
            leeway=30,
            options={"require": REQUIRED},
        )
    except (jwt.PyJWTError, KeyError):
        raise HTTPException(401) from None
    if REMEMBERS:
        known[token] = claims
    return claims


@app.get("/api/v1/chains/{product}")
async def chain(product: str, expiry: str, request: Request) -> Response:
    verify(request.headers.get("authorization", ""))
    key = f"live:chain:{product}:{expiry}"
    given = request.headers.get("if-none-match")
    if given is not None:
        epoch, seq = await store.hmget(key, "epoch", "seq")
        if given == tag(epoch, seq):
            return Response(status_code=304, headers={"ETag": given})
    epoch, seq, data = await store.hmget(key, "epoch", "seq", "data")
    if data is None:
        raise HTTPException(404)
    return Response(data, media_type="application/json", headers={"ETag": tag(epoch, seq)})


def tag(epoch: bytes, seq: bytes) -> str:
    return f'"{epoch.decode()}-{seq.decode()}"'
