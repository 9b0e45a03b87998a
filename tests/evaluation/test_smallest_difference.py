import numpy as np
import pytest

from textune.core import seeds
from textune.core.config import parse
from textune.data.entities import Entity, write_entities
from textune.evaluation.metrics.base import metrics_of
from textune.evaluation.significance import detectable_difference, paired_bootstrap
from textune.evaluation.smallest_difference import smallest_difference
from textune.tasks.base import TaskSpec


def task(kind: str, labels: str, positive: str | None = None) -> TaskSpec:
    text = ["a", "b"] if kind in ("pair", "grade") else "a"
    content = {
        "name": "toy",
        "kind": kind,
        "instruction": "Decide.",
        "labels": dict.fromkeys(labels, ""),
        "positive": positive,
        "data": {"train": "x.csv", "columns": {"text": text}},
    }
    return parse(TaskSpec, content, where="toy")


def test_even_labels_give_what_mcnemars_test_gives_for_accuracy():
    found = smallest_difference(task("classify", "abcd"), list("abcd") * 250)
    assert (found.metric, found.metric_name, found.num_tested) == ("macro_f1", "macro F1", 1000)
    by_formula = detectable_difference(1000, accuracy=0.8)
    assert found.difference == pytest.approx(by_formula, rel=0.06)


def test_more_examples_show_smaller_differences_as_the_root_of_their_number():
    sizes = [smallest_difference(task("pair", "ab"), list("ab") * n).difference for n in (50, 800)]
    assert sizes[0] / sizes[1] == pytest.approx(4, rel=0.06)


def test_rare_labels_make_differences_of_macro_f1_harder_to_see():
    toy = task("classify", "abc")
    even, rare = list("abc") * 100, list("a" * 280 + "b" * 10 + "c" * 10)
    assert (
        smallest_difference(toy, rare).difference > 1.5 * smallest_difference(toy, even).difference
    )


def test_f1_of_the_positive_label_depends_on_its_number():
    toy = task("pair", "yn", positive="y")
    many, few = (smallest_difference(toy, ["y"] * n + ["n"] * (1000 - n)) for n in (500, 50))
    assert many.metric == "positive_f1"
    assert few.difference > 2.5 * many.difference


def test_entities_are_counted_and_not_texts():
    toy = task("extract", "ab")
    one = write_entities([Entity(0, 1, "a", "x")])
    three = write_entities([Entity(i, i + 1, "a", "x") for i in range(3)])
    sparse, dense = (smallest_difference(toy, [each] * 300) for each in (one, three))
    assert sparse.metric == "micro_f1"
    assert sparse.difference / dense.difference == pytest.approx(3**0.5, rel=0.06)
    # delta method: F1 of 0.8 has a variance of 0.0896 over the number of entities
    assert sparse.difference == pytest.approx(2.802 * (2 * 0.0896 / 300) ** 0.5, rel=0.08)


def test_correlations_spread_as_drawn_ones_do():
    found = smallest_difference(task("grade", "0123"), ["1.5", "2", "0"] * 100)
    assert (found.metric, found.metric_name) == ("pearson", "Pearson's correlation")
    assert found.assumption == "reach a correlation of 0.8"
    draw = seeds.generator(2, "correlations")
    gold = draw.standard_normal((2000, 300))
    a, b = (0.8 * gold + 0.6 * draw.standard_normal(gold.shape) for _ in range(2))

    def correlations(answers):
        x, y = (values - values.mean(1, keepdims=True) for values in (gold, answers))
        return (x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1))

    drawn = float(np.std(correlations(a) - correlations(b)))
    assert found.difference == pytest.approx(2.802 * drawn, rel=0.06)


def test_a_test_part_too_small_for_anything_shows_nothing():
    assert smallest_difference(task("extract", "ab"), [write_entities([])]).difference <= 1
    assert smallest_difference(task("classify", "ab"), ["a", "b"]).difference > 0.6


def test_the_paired_bootstrap_finds_such_a_difference_about_four_times_in_five():
    toy, gold = task("classify", "abc"), list("abc") * 120
    difference = smallest_difference(toy, gold, assumed=0.75).difference
    draw = seeds.generator(1, "power")

    def answers(share: float) -> list[str]:
        others = {label: [x for x in gold if x != label] for label in "abc"}
        right = draw.random(len(gold)) < share
        return [g if r else str(draw.choice(others[g])) for g, r in zip(gold, right, strict=True)]

    metrics = metrics_of(toy)
    tests = [
        paired_bootstrap(
            "macro_f1",
            metrics,
            gold,
            answers(0.75 + difference / 2),
            answers(0.75 - difference / 2),
            resamples=300,
            seed=number,
        )
        for number in range(60)
    ]
    assert np.mean([test.p_value < 0.05 for test in tests]) == pytest.approx(0.8, abs=0.15)
