"""The Ed25519 key that access tokens are signed with: made at first start, kept outside the source tree."""

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from aro.adapters.tokens import to_jwk

KEY_FILE: Final = "signing-key.pem"
_OTHERS: Final = 0o077
_WRITABLE_BY_OTHERS: Final = 0o022


class KeyUnusable(Exception):
    """The key cannot be made, cannot be read, or is not secret. The text says what to do about it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`kid` is the RFC 7638 thumbprint, so that the same key has the same name everywhere."""

    kid: str
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> Ed25519PublicKey:
        return self.private.public_key()

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        return {"keys": [to_jwk(self.kid, self.public)]}


def load_or_create(directory: Path) -> SigningKey:
    """The key in `directory`, made there if there is none; several processes that start at once get the same one.

    Raises
    ------
    KeyUnusable
        If others can read the key or replace it, if it is no Ed25519 key, or if the directory cannot be used.
    """
    path = directory / KEY_FILE
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_mode & _WRITABLE_BY_OTHERS:
            raise KeyUnusable(f"{directory} can be written by others; chmod 700 it")
        if not path.exists():
            _create(path)
        return _load(path)
    except OSError as error:
        raise KeyUnusable(f"{error.filename or path}: {error.strerror}") from None


def thumbprint(key: Ed25519PublicKey) -> str:
    """RFC 7638: SHA-256 of the required members in lexical order, base64url without padding."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": to_jwk("", key)["x"]}
    digest = hashlib.sha256(msgspec.json.encode(members)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _create(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole or not at all, and only the first of several succeeds.
        path.hardlink_to(draft)
    except FileExistsError:
        return  # another process was first; its key is ours
    finally:
        draft.unlink()


def _load(path: Path) -> SigningKey:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode & 0o777
        if mode & _OTHERS:
            raise KeyUnusable(f"{path} is open to others (mode {mode:04o}); chmod 600 it, or remove it for a new key")
        pem = file.read()
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnusable(f"{path} is not a readable PEM key; restore it, or remove it for a new key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{path} is not an Ed25519 key")
    return SigningKey(thumbprint(key.public_key()), key)
