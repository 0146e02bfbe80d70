"""CSV that any reader takes back apart, and that no spreadsheet runs."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aro.contracts.tables import csv_lines, csv_text


def test_header_crlf_and_empty_for_null() -> None:
    rows = [{"a": 1.5, "b": None}, {"a": -2, "b": 'say "x", y'}, {"b": True}]
    assert csv_text(["a", "b"], rows) == b'a,b\r\n1.5,\r\n-2,"say ""x"", y"\r\n,true\r\n'


def test_lines_add_up_to_the_text() -> None:
    rows = [{"a": n} for n in range(5)]
    assert b"".join(csv_lines(["a"], rows)) == csv_text(["a"], rows)
    assert len(list(csv_lines(["a"], rows))) == 6


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_text_that_a_spreadsheet_would_run_becomes_text(text: str) -> None:
    [[cell]] = list(csv.reader(io.StringIO(csv_text(["x"], [{"x": text}]).decode(), newline="")))[1:]
    assert cell == f"'{text}"
    [[listed]] = list(csv.reader(io.StringIO(csv_text(["x"], [{"x": [text]}]).decode(), newline="")))[1:]
    assert listed == f"'{text}"


def test_negative_numbers_stay_numbers() -> None:
    assert csv_text(["x"], [{"x": -0.5}]) == b"x\r\n-0.5\r\n"


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "n": st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
                "t": st.text(st.characters(codec="utf-8"), max_size=20),
            }
        ),
        max_size=8,
    )
)
def test_what_was_written_is_read_back(rows: list[dict[str, object]]) -> None:
    text = csv_text(["n", "t"], rows).decode()
    found = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    assert len(found) == len(rows)
    for line, row in zip(found, rows, strict=True):
        assert (float(line["n"]) if line["n"] else None) == (None if row["n"] is None else float(str(row["n"])))
        assert line["t"] in (row["t"], f"'{row['t']}")
