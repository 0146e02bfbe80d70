"""The signing key on disk: made once, kept secret, refused when it is neither."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from auth_service.keys import KEY_FILE, NEXT_FILE, KeyUnusable, load, load_or_create, thumbprint


def placed(directory: Path, data: bytes, mode: int = 0o600) -> Path:
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / KEY_FILE
    path.write_bytes(data)
    path.chmod(mode)
    return directory


def test_the_key_is_made_secret_and_found_again(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "keys"
    made = load_or_create(directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(directory)) == [NEXT_FILE, KEY_FILE]
    again = load_or_create(directory)
    assert again.kid == made.kid
    assert again.public == made.public


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        kids = {key.kid for key in pool.map(load_or_create, [tmp_path / "keys"] * 64)}
    assert len(kids) == 1
    assert sorted(os.listdir(tmp_path / "keys")) == [NEXT_FILE, KEY_FILE]
    assert load(tmp_path / "keys").current.kid in kids


def test_a_loose_umask_does_not_loosen_the_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_or_create(tmp_path / "keys")
    finally:
        os.umask(before)
    for name in (KEY_FILE, NEXT_FILE):
        assert (tmp_path / "keys" / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", [KEY_FILE, NEXT_FILE])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o440])
def test_a_key_that_others_can_touch_is_refused(tmp_path: Path, mode: int, name: str) -> None:
    directory = tmp_path / "keys"
    load_or_create(directory)
    (directory / name).chmod(mode)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        load_or_create(directory)


@pytest.mark.parametrize("mode", [0o440, 0o640, 0o660])
def test_the_service_s_own_group_may_read_when_it_is_named(tmp_path: Path, mode: int) -> None:
    """How a pod's fsGroup leaves secrets and volumes behind."""
    directory = tmp_path / "keys"
    made = load_or_create(directory)
    group = (directory / KEY_FILE).stat().st_gid
    (directory / KEY_FILE).chmod(mode)
    directory.chmod(0o2770)
    assert load_or_create(directory, group).kid == made.kid
    for other in (None, group + 1):
        with pytest.raises(KeyUnusable, match="chmod 700"):
            load_or_create(directory, other)
    directory.chmod(0o700)
    with pytest.raises(KeyUnusable, match=f"ARO_AUTH_KEY_GROUP if group {group} is"):
        load_or_create(directory, group + 1)


@pytest.mark.parametrize("mode", [0o444, 0o644, 0o602, 0o661])
def test_a_named_group_does_not_let_everybody_in(tmp_path: Path, mode: int) -> None:
    directory = tmp_path / "keys"
    load_or_create(directory)
    (directory / KEY_FILE).chmod(mode)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        load_or_create(directory, (directory / KEY_FILE).stat().st_gid)


def test_a_directory_that_others_can_write_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.raises(KeyUnusable, match="chmod 700"):
        load_or_create(directory)
    assert os.listdir(directory) == []


def pem(key: object, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 100,
        b"-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n",
        pem(Ed25519PrivateKey.generate())[:60],
        pem(Ed25519PrivateKey.generate(), b"a passphrase that nobody gives"),
        pem(generate_private_key(SECP256R1())),
    ],
    ids=["empty", "zeros", "nonsense", "cut off", "encrypted", "another kind"],
)
def test_what_is_no_usable_key_is_refused_and_left_alone(tmp_path: Path, data: bytes) -> None:
    directory = placed(tmp_path / "keys", data)
    with pytest.raises(KeyUnusable, match="key"):
        load_or_create(directory)
    assert (directory / KEY_FILE).read_bytes() == data


def test_a_path_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(KeyUnusable, match="keys"):
        load_or_create(tmp_path / "keys")


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    # RFC 8037, appendix A.2 and A.3.
    x = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    expected = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert thumbprint(Ed25519PublicKey.from_public_bytes(x)) == expected
