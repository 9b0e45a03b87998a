"""Approaches that look where they must not: the check finds each of them out."""

from dataclasses import dataclass, replace

import pytest

from textune.approaches.base import REGISTRY
from textune.approaches.majority import Majority, MajorityPredictor
from textune.core.errors import DataError
from textune.tasks.dataset import load_dataset
from textune.testing import check_approach


@dataclass(frozen=True, kw_only=True)
class ReadsTheFiles(Majority):
    """Learns the test part by reading the task's own files."""

    def fit(self, task, train, valid, *, seed, context):
        everything = load_dataset(task).train.rows
        return super().fit(task, everything, valid, seed=seed, context=context)


class PeekingPredictor(MajorityPredictor):
    """Says the gold answer where it is there."""

    def predict(self, examples):
        said = super().predict(examples)
        answers = [e.answer or one for e, one in zip(examples, said.answers, strict=True)]
        return replace(said, answers=answers)


class NeighbourlyPredictor(MajorityPredictor):
    """Says something else of the first example than of the others."""

    def predict(self, examples):
        said = super().predict(examples)
        other = next(label for label in self.task.labels if label not in said.answers)
        return replace(said, answers=[other, *said.answers[1:]])


def with_predictor(sort):
    @dataclass(frozen=True, kw_only=True)
    class Leaky(Majority):
        def fit(self, task, train, valid, *, seed, context):
            honest = super().fit(task, train, valid, seed=seed, context=context)
            return sort(task, honest.shares)

    return Leaky


@pytest.fixture
def planted(monkeypatch):
    """Makes a leaky approach known under the name of the honest one."""

    def plant(sort):
        monkeypatch.setattr(sort, "name", "majority", raising=False)
        honest = REGISTRY.get
        monkeypatch.setattr(
            type(REGISTRY), "get", lambda self, name: sort if name == "majority" else honest(name)
        )
        return sort()

    return plant


def test_reading_the_files_of_the_task_is_found_out(planted, classify_task, classify_examples):
    with pytest.raises(DataError, match="an approach sees the examples of its part only"):
        check_approach(planted(ReadsTheFiles), classify_task, classify_examples)


@pytest.mark.parametrize(
    ("sort", "found"),
    [(PeekingPredictor, "gold answer"), (NeighbourlyPredictor, "neighbours")],
)
def test_peeking_at_what_is_predicted_is_found_out(
    sort, found, planted, classify_task, classify_examples
):
    with pytest.raises(AssertionError, match=found):
        check_approach(planted(with_predictor(sort)), classify_task, classify_examples)


def test_the_honest_one_passes(classify_task, classify_examples):
    check_approach(Majority(), classify_task, classify_examples)
