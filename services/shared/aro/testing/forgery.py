"""Access tokens that must be refused, each wrong in one way."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Sign = Callable[[bytes], bytes]


def claims(issuer: str, audience: str, **changes: Any) -> dict[str, Any]:
    """What a valid token says; a change to None leaves the claim out."""
    now = int(time.time())
    valid = {
        "iss": issuer,
        "aud": audience,
        "sub": "somebody",
        "role": "user",
        "iat": now,
        "exp": now + 10_800,  # tests make them when they are collected, and may take a while
        "jti": "a-token",
        "scope": "read write account admin",
        **changes,
    }
    return {name: value for name, value in valid.items() if value is not None}


def token(header: dict[str, Any], payload: dict[str, Any], sign: Sign) -> str:
    """A JWT put together by hand: no library would sign most of these."""
    signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, payload)).encode()
    return f"{signed.decode()}.{_base64(sign(signed))}"


def forgeries(key: Ed25519PrivateKey, kid: str, *, issuer: str, audience: str) -> dict[str, tuple[str, str]]:
    """What is wrong → (token, problem code). `key` is the real signing key: only the named thing is wrong."""
    header = {"alg": "EdDSA", "typ": "at+jwt", "kid": kid}
    valid = claims(issuer, audience)

    def said(**changes: Any) -> str:
        return token(header, claims(issuer, audience, **changes), key.sign)

    def headed(**changes: Any) -> str:
        return token({**header, **changes}, valid, key.sign)

    public = key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    long_ago = int(time.time()) - 3_600
    tokens = {
        "expired": said(iat=long_ago, exp=long_ago + 900),
        "wrong audience": said(aud="another-platform"),
        "wrong issuer": said(iss="another-issuer"),
        "issued in the future": said(iat=int(time.time()) + 3_600),
        "without expiry": said(exp=None),
        "without subject": said(sub=None),
        "without id": said(jti=None),
        "wrong key": token(header, valid, Ed25519PrivateKey.generate().sign),
        "unknown kid": headed(kid="nobodys-key"),
        "no kid": token({"alg": "EdDSA", "typ": "at+jwt"}, valid, key.sign),
        "alg none": token({**header, "alg": "none"}, valid, lambda _: b""),
        "alg none, signed": headed(alg="none"),
        "HS256 with the public key": token({**header, "alg": "HS256"}, valid, _hmac(pem)),
        "HS256 with the raw public key": token({**header, "alg": "HS256"}, valid, _hmac(raw)),
        "wrong typ": headed(typ="JWT"),
        "refresh as access": headed(typ="rt+jwt"),
        "critical extension": headed(crit=["urgent"], urgent=True),
        "nested brackets": _base64(b'{"a":' + b"[" * 2_900) + ".e30.e30",
        "not a JWT": "an-opaque-token",
        "too long": "a" * 5_000,
    }
    return {name: (text, "token_expired" if name == "expired" else "token_invalid") for name, text in tokens.items()}


def _hmac(secret: bytes) -> Sign:
    return lambda signed: hmac.new(secret, signed, hashlib.sha256).digest()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
