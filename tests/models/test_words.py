import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core.errors import StoreError
from textune.models.words import PADDING, Vocabulary, bucket_of, spans_of, words_of


def test_words_are_runs_of_letters_and_digits_and_single_signs():
    text = "Zoë's (2nd) try: naïve_Bayes\n\n..."
    assert words_of(text) == [
        "zoë", "'", "s", "(", "2nd", ")", "try", ":", "naïve_bayes", ".", ".", ".",
    ]  # fmt: skip
    assert [text[start:end].lower() for start, end in spans_of(text)] == words_of(text)


@given(st.text())
def test_spans_hold_everything_but_spaces(text):
    kept = "".join(text[start:end] for start, end in spans_of(text))
    assert kept == "".join(text.split())


def test_the_most_frequent_words_come_first_and_rare_ones_are_unknown():
    known = Vocabulary.learn(["b a b", "A c b"], min_count=2)
    assert known.words == ("b", "a")
    assert known.encode(["B a c d"]) == [(2, 3, 1, 1)]
    assert len(known) == 4


def test_unknown_words_fall_into_buckets_by_their_own_letters():
    known = Vocabulary(("a",), num_buckets=100)
    first, again, other = known.ids(["zebra", "Zebra", "quagga"])
    assert first == again != other
    assert first == 1 + bucket_of("zebra", 100)
    assert known.ids(["a"]) == (101,)
    assert bucket_of("123456789", 2**32) == 0xCBF43926, "the check value of CRC-32"


@given(st.lists(st.text()), st.text(), st.integers(1, 50))
def test_every_text_becomes_numbers_of_the_vocabulary(texts, other, num_buckets):
    known = Vocabulary.learn(texts, min_count=1, num_buckets=num_buckets)
    for numbers in known.encode([*texts, other]):
        assert numbers, "never nothing"
        assert all(PADDING < number < len(known) for number in numbers)


def test_it_is_read_back_as_it_was(tmp_path):
    known = Vocabulary(("a", "é", "\N{SNOWMAN}", '"'), num_buckets=7)
    known.save(tmp_path / "words.json")
    assert Vocabulary.load(tmp_path / "words.json") == known


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"buckets": 0, "words": []}',
        '{"buckets": 1, "words": [1]}',
        '{"words": 3}',
    ],
)
def test_a_damaged_file_is_named(content, tmp_path):
    path = tmp_path / "words.json"
    path.write_text(content)
    with pytest.raises(StoreError, match=r"damaged .*words\.json"):
        Vocabulary.load(path)
    with pytest.raises(StoreError, match=r"damaged .*none\.json"):
        Vocabulary.load(tmp_path / "none.json")
