import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.report import tables
from textune.report.blocks import Column, Range, Row, Table

TABLE = Table(
    "scores",
    "100 % of _all_ scores & more",
    (Column("Approach"), Column("F1", "score"), Column("95 %", "score"), Column("Text", "text")),
    (
        Row(("lora_x", 0.81234, Range(0.79, 0.83), "=1+1")),
        Row(("a & b", None, None, "costs $5 {really} ~ ^ \\ <i>")),
    ),
)


def test_csv_has_full_numbers_and_two_columns_for_an_interval():
    rows = list(csv.reader(io.StringIO(tables.as_csv(TABLE))))
    assert rows[0] == ["Approach", "F1", "95 % low", "95 % high", "Text"]
    assert rows[1][:4] == ["lora_x", "0.81234", "0.79", "0.83"]
    assert rows[2][1:4] == ["", "", ""]


def test_csv_names_the_unit_of_a_measure():
    table = Table("x", "", (Column("Fit", "seconds"),), (Row((90.5,)),))
    assert tables.as_csv(table) == "Fit [seconds]\n90.5\n"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_csv_cell_is_read_as_a_formula(start):
    table = Table("x", "", (Column("Text", "text"),), (Row((f"{start}cmd|' /C calc'!A0",)),))
    cell = list(csv.reader(io.StringIO(tables.as_csv(table), newline="")))[1][0]
    assert cell.startswith("'")


def test_negative_numbers_stay_numbers_in_csv():
    table = Table("x", "", (Column("Difference", "points"),), (Row((-0.5,)),))
    assert tables.as_csv(table) == "Difference\n-0.5\n"


def test_latex_uses_booktabs_and_sets_numbers_to_the_right():
    text = tables.as_latex(TABLE)
    assert r"\begin{tabular}{lrrl}" in text
    assert r"\toprule" in text
    assert r"\bottomrule" in text
    assert r"lora\_x & 81.2 & 79.0 to 83.0 & =1+1 \\" in text
    assert r"100 \% of \_all\_ scores \& more" in text


def test_latex_specials_are_escaped():
    text = tables.as_latex(TABLE)
    assert r"costs \$5 \{really\} \textasciitilde{} \textasciicircum{}" in text
    assert r"\textbackslash{} \textless{}i\textgreater{}" in text


@given(st.text())
def test_escaped_latex_is_one_line_without_a_bare_special(text):
    escaped = tables.latex(text)
    assert "\n" not in escaped
    for special in "$&#%_":
        assert escaped.count(special) == escaped.count(f"\\{special}")


def test_columns_that_hold_nothing_can_be_left_out():
    table = Table("x", "", (Column("a"), Column("b"), Column("c")), (Row(("1", None, "")),))
    assert [column.title for column in table.without_empty_columns().columns] == ["a"]
