import pytest

from textune.report import digits
from textune.report.blocks import Column, Range


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "score", "-"),
        (0.8456, "score", "84.6"),
        (-0.012, "points", "-1.2"),
        (0.012, "points", "+1.2"),
        (0.0123, "seconds", "12 ms"),
        (0.25, "seconds", "250 ms"),
        (3.42, "seconds", "3.4 s"),
        (720, "seconds", "12.0 min"),
        (9000, "seconds", "2.5 h"),
        (500, "bytes", "500 B"),
        (1536, "bytes", "1.5 KiB"),
        (300 * 2**20, "bytes", "300 MiB"),
        (5 * 2**30, "bytes", "5.0 GiB"),
        (7320, "count", "7,320"),
        (4_884_480, "count", "4.9 M"),
        (7e9, "count", "7.0 B"),
        (0.0004, "probability", "< 0.001"),
        (0.0312, "probability", "0.031"),
        (1.25, "price", "1.25"),
        (0.00002, "price", "0.00002"),
        (0, "price", "0.00"),
        (5.5, "joules", "5.5 J"),
        (35, "joules", "35 J"),
        (2500, "joules", "2.5 kJ"),
        (3_600_000, "joules", "1.00 kWh"),
        (0.6541, "number", "0.654"),
        (12345.6, "number", "12,346"),
        ("a word", "score", "a word"),
        (Range(0.5, 0.75), "score", "50.0 to 75.0"),
    ],
)
def test_a_value_is_shown_in_the_unit_of_its_column(value, unit, text):
    assert digits.shown(value, Column("x", unit)) == text


def test_a_price_in_a_sentence_has_its_currency():
    assert digits.price(0.0213, "EUR") == "0.021 EUR"
    assert digits.price(12, "") == "12.00"


def test_metrics_have_names_for_people():
    assert digits.metric_title("macro_f1") == "macro F1"
    assert digits.metric_title("f1:not_this") == "F1 of not_this"
    assert digits.metric_title("positive_precision") == "positive precision"
