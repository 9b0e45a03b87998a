import json

import pytest

from textune.core.config import plain
from textune.data.audit import Audit, Lengths, TokenCounts, Tokens, audit, lengths
from textune.data.examples import Example, Examples
from textune.data.findings import Excerpt, Finding
from textune.data.sources import Layout, read_examples

LONG = "the quick brown fox jumps over the lazy dog while seven other animals look on from afar"


def made(*rows: tuple[object, ...]) -> Examples:
    """Rows (text or pair, answer, group)."""
    return Examples(
        tuple(
            Example(
                f"e{number}",
                (texts,) if isinstance(texts, str) else tuple(texts),
                answer,
                rest[0] if rest else None,
            )
            for number, (texts, answer, *rest) in enumerate(rows)
        )
    )


def found(result: Audit, name: str) -> Finding:
    (finding,) = [finding for finding in result.findings if finding.name == name]
    return finding


def names(result: Audit) -> set[str]:
    return {finding.name for finding in result.findings}


def varied(label: str, size: int, start: int = 0) -> list[tuple[str, str]]:
    return [(f"text {label} number {n} of many", label) for n in range(start, start + size)]


def test_clean_data_yield_nothing_but_the_majority():
    train = made(*varied("a", 10), *varied("b", 6))
    result = audit(train, made(*varied("a", 5, 50), *varied("b", 3, 50)), labels=("a", "b"))
    (finding,) = result.findings
    assert finding.level == "info"
    assert finding.message == "always answering 'a' is right for 62.5 % of train"


def test_parts_are_summed_up_in_the_order_of_the_labels():
    train = made(("one two", "b", "g"), ("three", "b", "g"), ("four five six", "a", "h"))
    (part,) = audit(train, None, labels=("a", "b"), folds=1).parts
    assert part.name == "train"
    assert part.num_examples == 3
    assert list(part.labels.items()) == [("a", 1), ("b", 2)]
    assert part.words == Lengths(minimum=1, median=2, p95=2.9, maximum=3)
    assert part.characters.maximum == 13
    assert part.num_groups == 2


def test_lengths_are_quantiles():
    assert lengths(range(101)) == Lengths(minimum=0, median=50, p95=95, maximum=100)


def test_token_counts_become_lengths_of_each_model_and_say_what_is_cut():
    counts = {"tiny": TokenCounts([3, 9, 4, 5, 9], room=8), "wide": TokenCounts([3] * 5, room=8)}
    result = audit(made(*varied("a", 5)), None, labels=("a",), token_counts=counts)
    long = Lengths(minimum=3, median=5, p95=9, maximum=9)
    assert result.tokens["tiny"] == Tokens(lengths=long, room=8, num_cut=2)
    assert result.tokens["wide"].num_cut == 0
    cut = found(result, "cut for tiny")
    assert (cut.level, cut.count) == ("warning", 2)
    assert cut.message == "2 examples are cut for tiny: longer than its 8 tokens, by 1 at most"
    assert [excerpt.ids for excerpt in cut.examples] == [("e1",), ("e4",)]
    assert "cut for wide" not in names(result)


def test_repeats_and_contradictions_are_shown_with_ids_and_labels():
    train = made(("Same, text!", "a"), ("same TEXT", "a"), ("same  text", "b"), *varied("b", 5))
    result = audit(train, None, labels=("a", "b"), folds=2)
    repeats = found(result, "repeats in train")
    assert (repeats.level, repeats.count) == ("warning", 2)
    shown = Excerpt(ids=("e0", "e1", "e2"), text="Same, text!", answers=("a", "a", "b"))
    assert repeats.examples == (shown,)
    contradiction = found(result, "contradiction")
    assert contradiction.count == 1
    assert contradiction.examples[0].answers == ("a", "b")


def test_a_leak_is_a_problem_and_comes_first():
    train = made(("What is this?", "a"), *varied("a", 5))
    result = audit(train, made(("what is this", "b"), *varied("a", 2, 9)), labels=("a", "b"))
    assert result.findings[0].level == "problem"
    leak = found(result, "leak")
    assert leak.count == 1
    assert leak.examples == (Excerpt(("e0", "e0"), "What is this?", ("a", "b")),)
    assert found(result, "contradiction").count == 1
    assert "repeats in train" not in names(result)


def test_near_repeats_are_told_apart_from_exact_ones():
    train = made((LONG, "a"), (LONG + " indeed", "a"), *varied("a", 4))
    test = made((LONG + " again", "a"), ("another text of its own", "a"))
    result = audit(train, test, labels=("a",))
    assert found(result, "near repeats in train").level == "info"
    near = found(result, "near leak")
    assert (near.level, near.count) == ("warning", 1)
    assert "Jaccard 0.7 of word 3-grams" in near.message
    assert near.examples[0].ids == ("e0", "e0")
    assert near.examples[0].text.endswith("...")
    assert len(near.examples[0].text) == 80
    assert "leak" not in names(result)


def test_labels_that_are_absent_rare_untested_or_shifted_are_named():
    train = made(*varied("a", 12), *varied("b", 6), *varied("c", 2))
    test = made(*varied("a", 2, 50), *varied("b", 6, 50))
    result = audit(train, test, labels=("a", "b", "c", "d"), folds=5)
    assert found(result, "absent label").message.endswith("without training example: d")
    rare = found(result, "rare label")
    assert rare.message == "1 label with fewer than 5 examples, too few to learn from: c (2)"
    assert rare.level == "warning"
    assert found(result, "untested label").count == 2
    shift = found(result, "label shift")
    assert shift.message.endswith("a (60 % to 25 %), b (30 % to 75 %)")


def test_a_label_rarer_than_the_folds_is_a_problem_when_folds_must_be_made():
    result = audit(made(*varied("a", 9), *varied("b", 2)), None, labels=("a", "b"), folds=5)
    rare = found(result, "rare label")
    assert rare.level == "problem"
    assert rare.message == "1 label with fewer than 5 examples, too few for 5 folds: b (2)"


def test_labels_that_are_exactly_even_or_far_from_it_are_named():
    even = audit(made(*varied("a", 6), *varied("b", 6)), None, labels=("a", "b"))
    assert found(even, "balanced").message == "every label has exactly 6 in train"
    uneven = audit(made(*varied("a", 60), *varied("b", 6)), None, labels=("a", "b"))
    assert found(uneven, "imbalance").message == "'a' is 10 times as frequent as 'b' in train"
    assert found(uneven, "imbalance").level == "info"


def test_the_majority_is_said_in_the_words_of_the_kind():
    rows = made(*((text, "[]") for text, _ in varied("a", 5)))
    result = audit(rows, None, labels=("a",), labels_in=lambda _: (), said=lambda _: "nothing")
    expected = "always answering 'nothing' is right for 100.0 % of train"
    assert found(result, "majority").message == expected


def test_empty_very_short_and_damaged_texts_are_shown():
    train = made((" ", "a"), ("tiny", "a"), ("a caf\ufffd by the river", "a"), *varied("a", 5))
    result = audit(train, None, labels=("a",))
    assert found(result, "damaged in train").examples[0].ids == ("e2",)
    assert found(result, "empty in train").level == "problem"
    assert found(result, "short in train").examples[0].ids == ("e1",)


def test_groups_that_cross_a_fixed_split_are_a_problem():
    train = made(*((text, label, "paper 1") for text, label in varied("a", 5)))
    test = made(("one text of its own", "a", "paper 1"), ("and another text", "a", "paper 2"))
    result = audit(train, test, labels=("a",))
    assert found(result, "groups").message == "1 group in train, the largest of 5 examples"
    assert found(result, "group leak").count == 1


@pytest.mark.parametrize(("groups", "warned"), [((None, None), True), (("g", "g"), False)])
def test_a_question_that_recurs_in_several_pairs_is_reported_unless_grouped(groups, warned):
    train = made(
        (("How do I swim?", "What is swimming?"), "a", groups[0]),
        (("how do i swim", "Where can I swim?"), "a", groups[1]),
        *(((f"first text {n}", f"second text {n}"), "a") for n in range(5)),
    )
    result = audit(train, None, labels=("a",))
    assert ("recurring text" in names(result)) == warned
    if warned:
        recurring = found(result, "recurring text")
        assert recurring.examples[0].ids == ("e0", "e1")
        assert recurring.message.startswith("1 text recurs in several pairs")
        assert "'grouped: texts' keeps them together" in recurring.message


def test_a_question_shared_by_train_and_test_pairs_is_reported():
    train = made((("How do I swim?", "What is swimming?"), "a"), *[(("x y z", "u v w"), "a")] * 1)
    test = made((("Another question here", "how do i swim"), "a"))
    shared = found(audit(train, test, labels=("a",)), "shared text")
    assert shared.examples[0].ids == ("e0", "e0")


def test_at_most_five_examples_are_shown():
    rows = [(f"text number {n} said twice", "a") for n in range(8)]
    repeats = found(audit(made(*rows, *rows), None, labels=("a",)), "repeats in train")
    assert repeats.count == 8
    assert len(repeats.examples) == 5


def test_an_audit_is_plain_json():
    result = audit(made(*varied("a", 9), *varied("b", 2)), None, labels=("a", "b"))
    content = json.loads(json.dumps(plain(result)))
    assert content["parts"][0]["labels"] == {"a": 9, "b": 2}


def real(folder, name, layout):
    return tuple(
        read_examples(folder / name / f"{part}.jsonl.gz", layout) for part in ("train", "dev")
    )


def test_acl_arc_repeats_sentences_with_contradictory_labels(real_data):
    labels = ("Background", "Uses", "CompareOrContrast", "Motivation", "Extends", "Future")
    train, dev = real(real_data, "acl_arc", Layout(text_columns=("text",), id_column="id"))
    result = audit(train, dev, labels=labels)
    assert found(result, "repeats in train").count == 366
    assert found(result, "leak").count == 38
    assert found(result, "contradiction").count == 20
    for excerpt in found(result, "contradiction").examples:
        assert len(set(excerpt.answers)) > 1


def test_scicite_has_leaks_and_near_leaks(real_data):
    train, dev = real(real_data, "scicite", Layout(text_columns=("text",), id_column="id"))
    result = audit(train, dev, labels=("background", "method", "result"))
    assert found(result, "leak").count == 17
    assert found(result, "contradiction").count == 6
    assert found(result, "near leak").count > 50


def test_qqp_has_no_repeated_pair_but_shared_questions_and_a_label_shift(real_data):
    layout = Layout(text_columns=("question1", "question2"), id_column="id")
    train, dev = real(real_data, "qqp", layout)
    result = audit(train, dev, labels=("1", "0"))
    assert not {"leak", "contradiction", "repeats in train"} & names(result)
    assert found(result, "shared text").count == 1864
    assert found(result, "label shift").message.endswith("1 (36 % to 50 %), 0 (64 % to 50 %)")
