"""The Ed25519 keys that access tokens are signed with, as files: made at first start, kept outside the source tree.

``signing-key.pem`` is the current one. ``next-key.pem`` is published beside it, so that every verifier knows it long
before its first signature. ``retired-<kid>.pem`` are public halves of former ones, published until no token of theirs
can be valid. `rotate` moves each one step on.
"""

import base64
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from aro.adapters.tokens import ACCESS_SECONDS, LEEWAY_SECONDS, JwksKeys, to_jwk

KEY_FILE: Final = "signing-key.pem"
NEXT_FILE: Final = "next-key.pem"
RETIRED_PATTERN: Final = "retired-*.pem"
LOCK_FILE: Final = ".rotation"
PUBLISHED_SECONDS: Final = int(JwksKeys.CACHE_SECONDS) + 60
"""A next key is older than any verifier's copy of the key set when it is first used."""
RETIRED_SECONDS: Final = ACCESS_SECONDS + 2 * LEEWAY_SECONDS + 60
_OTHERS: Final = 0o007
_GROUP: Final = 0o070


class KeyUnusable(Exception):
    """The key cannot be made, cannot be read, or is not secret. The text says what to do about it."""


class TooEarly(Exception):
    """The next key has not been published for long enough. The text says how long to wait."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`kid` is the RFC 7638 thumbprint, so that the same key has the same name everywhere."""

    kid: str
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> Ed25519PublicKey:
        return self.private.public_key()


@dataclass(frozen=True, slots=True)
class RetiredKey:
    """`since` is UTC epoch seconds."""

    kid: str
    public: Ed25519PublicKey
    since: float


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """`next_since`, UTC epoch seconds, is when the next key was made."""

    current: SigningKey
    next: SigningKey | None
    next_since: float
    retired: tuple[RetiredKey, ...]

    def published(self, now: float) -> dict[str, Ed25519PublicKey]:
        """Key id → key of all that tokens may be signed by at `now`, or soon."""
        fresh = {key.kid: key.public for key in self.retired if now - key.since < RETIRED_SECONDS}
        coming = {self.next.kid: self.next.public} if self.next is not None else {}
        return {self.current.kid: self.current.public, **coming, **fresh}


def load_or_create(directory: Path, group: int | None = None) -> SigningKey:
    """The current key in `directory`, made there with a next one if there is none.

    Several processes that start at once get the same keys. With a directory that cannot be written a missing next
    key stays missing.

    Raises
    ------
    KeyUnusable
        If others can read a key or replace it, if it is no Ed25519 key, or if the directory cannot be used. What
        members of `group` can do is not held against it.
    """
    with _reported(directory / KEY_FILE):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (directory / KEY_FILE).exists():
            _check_directory(directory, group)
            _create(directory / KEY_FILE)
        if not (directory / NEXT_FILE).exists() and os.access(directory, os.W_OK):
            _check_directory(directory, group)
            _create(directory / NEXT_FILE)
    return load(directory, group).current


def load(directory: Path, group: int | None = None) -> KeyFiles:
    """What is in `directory` now. Raises `KeyUnusable` as `load_or_create` does."""
    with _reported(directory / KEY_FILE):
        _check_directory(directory, group)
        while True:
            before = signature(directory)
            found = _load_all(directory, group)
            # A rotation in between could hide the very key that it made the current one.
            if signature(directory) == before:
                return found


def signature(directory: Path) -> frozenset[tuple[str, int, int, int, int]]:
    """Changes with any of the key files, or with what they may be read by. Raises OSError without the directory."""
    paths = [directory / KEY_FILE, directory / NEXT_FILE, *directory.glob(RETIRED_PATTERN)]
    found = set()
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.add((path.name, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_mode))
    return frozenset(found)


def rotate(directory: Path, group: int | None = None, *, now: float, force: bool = False) -> KeyFiles:
    """Make the next key the current one, and a new next one. Running services follow by themselves.

    Raises
    ------
    TooEarly
        If a verifier may not know the next key yet and it is not `force`d.
    KeyUnusable
        As `load_or_create` does.
    """
    with _reported(directory / NEXT_FILE), _only_one(directory):
        if not (directory / NEXT_FILE).exists():
            _create(directory / NEXT_FILE)  # a rotation was killed before it could
        files = load(directory, group)
        age = now - files.next_since
        if age < PUBLISHED_SECONDS and not force:
            raise TooEarly(
                f"the next key was published {max(0, age):.0f} s ago, and verifiers keep what they know for "
                f"{PUBLISHED_SECONDS} s; wait, or force it and have new tokens refused for up to a minute"
            )
        retired = directory / f"retired-{files.current.kid}.pem"
        retired.unlink(missing_ok=True)  # left by a rotation that was killed: its time starts now
        _write_new(retired, _public_pem(files.current.public))
        (directory / NEXT_FILE).rename(directory / KEY_FILE)
        _create(directory / NEXT_FILE)
        for key in files.retired:
            if now - key.since >= RETIRED_SECONDS and key.kid != files.current.kid:
                (directory / f"retired-{key.kid}.pem").unlink(missing_ok=True)
        return load(directory, group)


def thumbprint(key: Ed25519PublicKey) -> str:
    """RFC 7638: SHA-256 of the required members in lexical order, base64url without padding."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": to_jwk("", key)["x"]}
    digest = hashlib.sha256(msgspec.json.encode(members)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyUnusable(f"{error.filename or path}: {error.strerror}") from None


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _check_directory(directory: Path, group: int | None) -> None:
    status = directory.stat()
    mode = status.st_mode & (0o002 if status.st_gid == group else 0o022)
    if mode:
        raise KeyUnusable(f"{directory} can be written by others; chmod 700 it")


def _check_file(path: Path, status: os.stat_result, group: int | None) -> None:
    mode = status.st_mode & 0o777
    if mode & _OTHERS or (mode & _GROUP and status.st_gid != group):
        hint = f", or set ARO_AUTH_KEY_GROUP if group {status.st_gid} is this service's own" if mode & _GROUP else ""
        raise KeyUnusable(f"{path} is open to others (mode {mode:04o}); chmod 600 it, or remove it for a new key{hint}")


def _load_all(directory: Path, group: int | None) -> KeyFiles:
    current, _ = _load_private(directory / KEY_FILE, group)
    coming: SigningKey | None = None
    since = 0.0
    with suppress(FileNotFoundError):  # a read-only directory that was filled with one key
        coming, since = _load_private(directory / NEXT_FILE, group)
    retired = [_load_public(path) for path in sorted(directory.glob(RETIRED_PATTERN))]
    return KeyFiles(current, coming, since, tuple(key for key in retired if key is not None))


def _load_private(path: Path, group: int | None) -> tuple[SigningKey, float]:
    """(the key, when its file was written). Raises FileNotFoundError too."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        _check_file(path, status, group)
        pem = file.read()
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnusable(f"{path} is not a readable PEM key; restore it, or remove it for a new key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{path} is not an Ed25519 key")
    return SigningKey(thumbprint(key.public_key()), key), status.st_mtime


def _load_public(path: Path) -> RetiredKey | None:
    """None if it was removed meanwhile."""
    try:
        since = path.stat().st_mtime
        key = load_pem_public_key(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyUnusable(f"{path} is not a readable PEM key; remove it") from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnusable(f"{path} is not an Ed25519 key; remove it")
    return RetiredKey(thumbprint(key), key, since)


def _create(path: Path) -> None:
    _write_new(path, Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _write_new(path: Path, data: bytes) -> None:
    """Write `path` unless it exists: it appears whole or not at all, and only the first of several writers succeeds."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return  # another process was first; its key is ours
    finally:
        draft.unlink()
