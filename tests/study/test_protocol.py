from dataclasses import replace

import pytest

from textune.approaches.encoder import Encoder
from textune.approaches.majority import Majority
from textune.core.config import parse
from textune.core.errors import DataError
from textune.data.audit import audit
from textune.data.examples import Example, Examples
from textune.study.protocol import Recommended, recommend
from textune.tasks.base import TaskSpec
from textune.tasks.dataset import Dataset

Rows = list[tuple[tuple[str, ...], str, str | None]]


def rows(label: str, size: int, start: int = 0, group: str | None = None) -> Rows:
    return [((f"text {label} number {n}",), label, group) for n in range(start, start + size)]


def examples(*parts: Rows, prefix: str = "e") -> Examples:
    made = [row for part in parts for row in part]
    return Examples(tuple(Example(f"{prefix}{n}", *row) for n, row in enumerate(made)))


def task_of(kind: str, labels: str) -> TaskSpec:
    content = {
        "name": "toy",
        "kind": kind,
        "instruction": "Decide.",
        "labels": dict.fromkeys(labels, ""),
        "data": {"train": "x.csv", "columns": {"text": ["q", "r"] if kind == "pair" else "q"}},
    }
    return parse(TaskSpec, content, where="toy")


def recommended(
    train: Examples, test: Examples | None = None, *, kind: str = "classify", labels: str = "ab"
) -> Recommended:
    task = task_of(kind, labels)
    found = audit(train, test, labels=labels, labels_in=task.kind.labels_in)
    approach = Encoder() if kind == "extract" else Majority()
    return recommend(task, Dataset(train, test), found, approach=approach)


def reason(result: Recommended, key: str) -> str:
    (setting,) = [setting for setting in result.settings if setting.key == key]
    return setting.reason


def test_a_test_part_of_the_task_is_used_with_seeds():
    train, test = (
        examples(rows("a", 60), rows("b", 60)),
        examples(rows("a", 20, 90), rows("b", 9, 90)),
    )
    result = recommended(train, test)
    protocol = result.protocol
    assert (protocol.split, protocol.seeds, protocol.test_size) == ("fixed", (0, 1, 2), "all")
    assert reason(result, "split") == "the task has a test part of its own"
    assert len(result.plan.tested) == result.visible.num_tested == 29


def test_a_test_part_with_some_leaks_is_used_but_they_are_said():
    train = examples(rows("a", 60), rows("b", 60))
    test = examples(rows("a", 1), rows("a", 20, 90), rows("b", 20, 90), prefix="t")
    result = recommended(train, test)
    assert result.protocol.split == "fixed"
    said = "of its 41 examples 1 is also in train: scores are a little too good"
    assert said in reason(result, "split")


def test_a_test_part_that_train_knows_goes_into_folds_with_repeats_kept_together():
    train = examples(rows("a", 60), rows("b", 60))
    test = examples(rows("a", 8), rows("a", 20, 90), rows("b", 20, 90), prefix="t")
    result = recommended(train, test)
    assert (result.protocol.split, result.protocol.grouped) == ("kfold", "texts")
    assert "8 of the 48 test examples are known from train" in reason(result, "split")
    assert len(result.plan.tested) == 168, "both files"
    texts = [row.texts for row in result.plan.examples]
    for cell in result.plan.cells:
        assert not {texts[i] for i in cell.train} & {texts[i] for i in cell.test}


def test_a_test_part_of_known_groups_goes_into_folds_by_group():
    train = examples(*(rows("ab"[n % 2], 4, 10 * n, f"paper {n}") for n in range(20)))
    test = examples(rows("a", 9, 300, "paper 0"), rows("b", 9, 300, "paper 1"), prefix="t")
    result = recommended(train, test)
    assert (result.protocol.split, result.protocol.grouped) == ("kfold", True)
    assert reason(result, "grouped") == "examples name 20 groups; each stays on one side"


@pytest.mark.parametrize(
    ("size", "folds", "seeds"), [(200, 10, (0,)), (800, 5, (0,)), (12_000, 3, (0, 1))]
)
def test_the_number_of_folds_goes_by_the_number_of_examples(size, folds, seeds):
    result = recommended(examples(rows("a", size // 2), rows("b", size // 2)))
    assert (result.protocol.split, result.protocol.folds) == ("kfold", folds)
    assert result.protocol.seeds == seeds
    assert result.protocol.grouped is False
    assert f"{size:,} examples" in reason(result, "folds")
    assert len(result.plan.tested) == size


def test_a_rare_label_makes_fewer_folds():
    result = recommended(examples(rows("a", 100), rows("b", 3)))
    assert (result.protocol.folds, result.protocol.seeds) == (3, (0, 1))
    assert reason(result, "folds") == "the rarest label, b, has 3 examples"


def test_a_label_with_one_example_cannot_be_learnt_and_tested():
    with pytest.raises(DataError, match="the label 'b' has 1 example"):
        recommended(examples(rows("a", 100), rows("b", 1)))


def test_a_large_group_makes_fewer_folds():
    large = rows("a", 40, 0, "one") + rows("b", 10, 0, "one")
    rest = [rows("ab"[n % 2], 1, 100 + n, f"g{n}") for n in range(100)]
    result = recommended(examples(large, *rest))
    assert (result.protocol.grouped, result.protocol.folds) == (True, 3)
    assert reason(result, "folds") == "the largest group has 33 % of all examples"


def test_pairs_that_share_questions_stay_together():
    pairs: Rows = [
        ((f"first {n // 2}", f"second {n}"), "ab"[n % 3 == 0], None) for n in range(120)
    ]
    result = recommended(examples(pairs), kind="pair")
    assert result.protocol.grouped == "texts"
    said = "120 examples share a text with another; such examples stay on one side"
    assert reason(result, "grouped") == said


def test_pairs_that_all_hang_together_are_not_kept_apart():
    pairs: Rows = [((f"first {n}", f"first {n + 1}"), "ab"[n % 3 == 0], None) for n in range(120)]
    result = recommended(examples(pairs), kind="pair")
    assert result.protocol.grouped is False
    said = "100 % of all examples hang together by shared texts: no folds keep them apart"
    assert reason(result, "grouped") == said


def test_shared_texts_join_named_groups():
    train = examples(*(rows("ab"[n % 2], 4, 10 * n, f"paper {n}") for n in range(20)))
    again = replace(train.rows[4], id="again", group="paper 7")
    result = recommended(Examples((*train.rows, again)))
    assert result.protocol.grouped == "texts"
    assert "share a text or a group with another" in reason(result, "grouped")


def test_a_validation_part_is_held_out_where_there_is_plenty():
    many = recommended(examples(rows("a", 2000), rows("b", 1000)))
    few = recommended(examples(rows("a", 200), rows("b", 100)))
    assert (many.protocol.valid_fraction, few.protocol.valid_fraction) == (0.1, 0.0)
    assert all(cell.valid for cell in many.plan.cells)
    assert "2,400 training examples can spare some" in reason(many, "valid_fraction")


def test_no_more_is_tested_than_shows_differences_of_two_points():
    train = examples(rows("a", 50), rows("b", 50))
    test = examples(rows("a", 5000, 100), rows("b", 5000, 100), prefix="t")
    result = recommended(train, test)
    assert 6000 <= result.protocol.test_size <= 7500
    assert result.visible.num_tested == result.protocol.test_size
    assert result.visible.difference == pytest.approx(0.02, abs=0.001)


def test_entities_are_divided_by_whether_a_text_has_any():
    entity = '[[0, 4, "a", "text"]]'
    made = [Example(f"e{n}", (f"text number {n}",), entity if n % 4 else "[]") for n in range(80)]
    result = recommended(Examples(tuple(made)), kind="extract", labels="a")
    assert (result.protocol.folds, result.visible.metric) == (10, "micro_f1")
