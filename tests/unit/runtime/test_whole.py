"""Whole numbers in bodies and in query strings."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError
from marshmallow.validate import Range

from aro.runtime.queries import Whole


@given(number=st.integers(-(10**17), 10**17))
def test_digits_of_a_query_are_read(number: int) -> None:
    assert Whole().deserialize(str(number)) == number


@given(text=st.text(max_size=25))
def test_nothing_else_is(text: str) -> None:
    try:
        number = Whole().deserialize(text)
    except ValidationError:
        return
    assert text.isascii()
    assert text.lstrip("-").isdigit()
    assert number == int(text)


@pytest.mark.parametrize("value", [4, 4.0, -0.0, 2**60])
def test_json_has_one_kind_of_number(value: float) -> None:
    assert Whole(strict=True).deserialize(value) == value
    assert type(Whole(strict=True).deserialize(value)) is int


@pytest.mark.parametrize("value", [4.7, True, False, "4", "", [], {}, float("inf"), float("nan")])
def test_a_body_has_no_other_kinds(value: Any) -> None:
    with pytest.raises(ValidationError):
        Whole(strict=True).deserialize(value)


def test_limits_hold() -> None:
    with pytest.raises(ValidationError):
        Whole(validate=Range(1, 5)).deserialize("6")
