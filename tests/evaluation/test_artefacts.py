import pytest

from textune.core import seeds
from textune.data.examples import Example, Examples
from textune.data.folds import Fold, stratified_folds
from textune.evaluation import artefacts as module
from textune.evaluation.artefacts import artefact_findings, find_artefacts

FILL = ["so", "it", "went", "on", "in", "the", "old", "town", "by", "sea"]
LABELS = ("yes", "no")


def pairs(size: int, *, betrayed: int | None = None, lengths: bool = False) -> Examples:
    """Random pairs; text number ``betrayed`` gives the label away, or the lengths do."""
    draw = seeds.generator(0, "artefacts")
    rows = []
    for number in range(size):
        answer = LABELS[int(draw.integers(2))]
        texts = [" ".join(draw.choice(FILL, 8).tolist()) for _ in range(2)]
        if betrayed is not None:
            texts[betrayed] += " never" if answer == "no" else " often"
        if lengths and answer == "no":
            texts[0] += " and so on and so on and so on"
        rows.append(Example(f"e{number}", tuple(texts), answer))
    return Examples(tuple(rows))


def split(examples: Examples) -> list[Fold]:
    """The first two thirds train."""
    size, cut = len(examples), 2 * len(examples) // 3
    return [Fold(tuple(range(cut)), tuple(range(cut, size)))]


@pytest.mark.parametrize("betrayed", [0, 1])
def test_a_text_that_tells_the_label_alone_is_found(betrayed):
    examples = pairs(300, betrayed=betrayed)
    result = find_artefacts(examples, split(examples), LABELS)
    assert (result.chance, result.num_train, result.num_tested) == (0.5, 200, 100)
    recalls = {blind.sees: blind.recall for blind in result.classifiers}
    assert recalls[f"text {betrayed + 1}"] == 1
    assert recalls[f"text {2 - betrayed}"] < 0.65
    assert recalls["lengths"] < 0.65
    (finding,) = artefact_findings(result)
    assert (finding.level, finding.name) == ("warning", f"artefact in text {betrayed + 1}")
    assert "alone tells the label in 100.0 % of cases" in finding.message
    assert "guessing does in 50.0 %" in finding.message


def test_lengths_that_tell_the_label_are_found():
    examples = pairs(300, lengths=True)
    result = find_artefacts(examples, split(examples), LABELS)
    lengths = result.classifiers[0]
    assert lengths.sees == "lengths"
    assert lengths.recall > 0.95
    assert lengths.low <= lengths.recall <= lengths.high <= 1
    assert artefact_findings(result)[0].name == "artefact in lengths"


def test_texts_that_tell_nothing_yield_no_finding():
    examples = pairs(600)
    result = find_artefacts(examples, split(examples), LABELS)
    assert artefact_findings(result) == []


def test_a_gain_over_chance_that_is_small_or_uncertain_is_no_finding():
    blind = module.Blind(sees="text 2", recall=0.54, low=0.51, high=0.61)
    unsure = module.Blind(sees="text 1", recall=0.7, low=0.49, high=0.9)
    result = module.Artefacts(
        chance=0.5, num_train=9, num_tested=9, is_sampled=False, classifiers=(blind, unsure)
    )
    assert artefact_findings(result) == []


def test_one_text_is_judged_by_its_lengths_alone():
    rows = [
        Example(f"e{n}", ("word " * (1 + n % 9 + 9 * (n % 2)),), "ab"[n % 2]) for n in range(200)
    ]
    examples = Examples(tuple(rows))
    result = find_artefacts(examples, stratified_folds(examples, 5, 0), ("a", "b"))
    assert [blind.sees for blind in result.classifiers] == ["lengths"]
    assert result.classifiers[0].recall > 0.9
    assert [finding.level for finding in artefact_findings(result)] == ["info"]
    assert result.num_tested == 200, "every fold"


def test_no_more_folds_are_tried_than_are_needed(monkeypatch):
    monkeypatch.setattr(module, "MIN_TESTED", 90)
    examples = pairs(300, betrayed=0)
    result = find_artefacts(examples, stratified_folds(examples, 5, 0), LABELS)
    assert (result.num_train, result.num_tested, result.is_sampled) == (240, 120, False)


def test_guessing_is_not_better_for_labels_that_are_frequent():
    rows = [Example(f"e{n}", ("same length",), "ab"[n % 10 == 0]) for n in range(200)]
    result = find_artefacts(Examples(tuple(rows)), split(Examples(tuple(rows))), ("a", "b"))
    assert result.classifiers[0].recall == result.chance == 0.5


def test_large_parts_are_sampled_and_say_so(monkeypatch):
    monkeypatch.setattr(module, "MAX_TRAIN", 60)
    monkeypatch.setattr(module, "MAX_TESTED", 40)
    examples = pairs(300, betrayed=1)
    result = find_artefacts(examples, split(examples), LABELS)
    assert (result.num_train, result.num_tested, result.is_sampled) == (60, 40, True)
    assert result == find_artefacts(examples, split(examples), LABELS), "the same sample again"


def test_a_test_part_with_one_label_tells_nothing():
    examples = pairs(30)
    held = tuple(i for i, row in enumerate(examples) if row.answer == "no")
    fold = Fold(tuple(range(30)), held)
    assert find_artefacts(examples, [fold], LABELS) is None
