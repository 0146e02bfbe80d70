"""What is deflated comes back as it was, is what zlib knows, and what is none is said to be none."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.adapters.packing import json_of, pack, unpack


@given(st.binary(max_size=2_000))
def test_what_is_packed_comes_back(data: bytes) -> None:
    assert unpack(pack(data)) == data
    assert zlib.decompress(pack(data)) == data
    assert unpack(zlib.compress(data)) == data


@given(st.dictionaries(st.text(), st.integers()))
def test_json_is_plain_packed_or_not(state: dict[str, int]) -> None:
    data = repr(state).encode()
    assert json_of(data) == data
    assert json_of(pack(data)) == data


@pytest.mark.parametrize("data", [b"", b"x", b"{}", b"x\x9c", pack(b'{"n":1}')[:-1], pack(b'{"n":1}')[:-1] + b"?"])
def test_what_is_not_whole_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not deflated"):
        unpack(data)
