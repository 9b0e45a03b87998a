import numpy as np
import pytest

from textune.data import duplicates
from textune.data.duplicates import key_of, near_duplicates, normalised
from textune.data.examples import Example


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("  How's   it\tgoing?! ", "how s it going"),
        ("STRASSE Straße", "strasse strasse"),
        ("x\u00b2, \uff21\uff22\uff23", "x2 abc"),
        ("हिन्दी, भाषा।", "हिन्दी भाषा"),
        ("¿Qué?", "qué"),
        ("?!", "?!"),
        ("", ""),
    ],
)
def test_normalising_drops_case_punctuation_and_surplus_spaces(text, key):
    assert normalised(text) == key


def test_the_key_of_a_pair_keeps_the_order():
    assert key_of(Example("1", ("A?", "b"))) == ("a", "b")


def sentence(rng: np.random.Generator, words: int = 30) -> str:
    return " ".join(f"w{n}" for n in rng.integers(0, 5000, words))


def test_planted_near_duplicates_are_found_and_nothing_else():
    rng = np.random.default_rng(0)
    train = [(sentence(rng),) for _ in range(300)]
    test = [(sentence(rng),) for _ in range(100)]
    planted = [((text + " one more",), (text,)) for (text,) in train[:40]]
    found = near_duplicates(train, test + [changed for changed, _ in planted])
    assert found.train == []
    assert found.test == []
    assert found.across == [(text, changed) for changed, text in planted]


def test_every_reported_pair_is_over_the_threshold_and_none_is_missed():
    rng = np.random.default_rng(1)
    keys = []
    for _ in range(60):
        words = sentence(rng).split()
        keys.append((" ".join(words),))
        cut = int(rng.integers(0, 16))
        keys.append((" ".join([*words[: len(words) - cut], *sentence(rng, cut).split()]),))

    def similarity(a: tuple[str, ...], b: tuple[str, ...]) -> float:
        one, two = ({tuple(k[0].split()[i : i + 3]) for i in range(28)} for k in (a, b))
        return len(one & two) / len(one | two)

    unique = list(dict.fromkeys(keys))
    expected = {
        (a, b)
        for i, a in enumerate(unique)
        for b in unique[i + 1 :]
        if similarity(a, b) >= duplicates.THRESHOLD
    }
    assert 10 < len(expected) < 60
    assert set(near_duplicates(keys, []).train) == expected


def test_exact_repeats_are_not_near_duplicates():
    key = ("one two three four five",)
    found = near_duplicates([key, key], [key])
    assert (found.train, found.test, found.across) == ([], [], [])


def test_the_order_of_a_pair_does_not_hide_a_near_duplicate():
    one, two = "what is the best way to learn chess", "how do i get better at playing chess"
    assert near_duplicates([(one, two)], [(two, one)]).across == [((one, two), (two, one))]


def test_a_cluster_is_counted_whole_although_only_some_of_it_is_indexed(monkeypatch):
    monkeypatch.setattr(duplicates, "MAX_CLUSTER", 3)
    header = sentence(np.random.default_rng(2), 60)
    keys = [(f"{header} {number}",) for number in range(50)]
    found = near_duplicates(keys, [(f"{header} x",)])
    assert len(found.train) == 49
    assert len(found.across) == 1


def test_a_sentence_with_other_marked_arguments_is_another_one():
    one, other = "<< A >> helps [[ B ]] and C.", "<< A >> helps B and [[ C ]]."
    assert normalised(one) != normalised(other)
    assert normalised(one) == normalised("<< a >>  helps [[B]] and c")
    assert normalised("as shown [1]") == normalised("as shown 1")
