"""What every approach promises, as a check."""

import tempfile
from collections.abc import Sequence
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from textune.approaches import base as approaches
from textune.approaches.base import Approach, Context, FitPart, Predictor
from textune.core.config import PluginOf, plain
from textune.data.entities import read_entities
from textune.data.examples import Example
from textune.tasks.base import TaskSpec


def check_approach(approach: Approach, task: TaskSpec, examples: Sequence[Example]) -> None:
    """Everything that an approach promises, on labelled examples of a task it can do.

    Two thirds train, the rest is predicted without gold answers. The task comes without its files,
    so an approach that looks at the test part finds nothing, and says so by an error.
    """
    task = task.sealed
    assert is_dataclass(approach), "an approach is a frozen dataclass"
    built = PluginOf(approaches.REGISTRY).build(plain(approach), where="check")
    assert built == approach, "must round-trip"
    approach.check(task)
    cut = 2 * len(examples) // 3
    train, test = examples[:cut], [replace(e, answer=None) for e in examples[cut:]]
    first = _fitted(approach, task, train)
    said = first.predict(test)
    assert len(said) == len(test), "one answer an example, in order"
    for answer, example in zip(said.answers, test, strict=True):
        _check_answer(answer, example, task)
    if said.scores is not None:
        assert said.scores.shape == (len(test), len(task.labels)), "a score for each label"
        if task.kind.is_exclusive:
            np.testing.assert_allclose(said.scores.sum(1), 1, atol=1e-5)
    backwards = first.predict(test[::-1])
    assert backwards.answers == said.answers[::-1], "an answer must not depend on its neighbours"
    assert first.predict([]).answers == [], "no examples, no answers"
    lied_to = [replace(e, answer=other.answer) for e, other in zip(test, train, strict=False)]
    _assert_same(first.predict(lied_to), said, "an answer must not depend on the gold answer")
    with tempfile.TemporaryDirectory() as folder:
        first.save(Path(folder))
        files = {p.suffix for p in Path(folder).rglob("*") if p.is_file()}
        assert not {".bin", ".pt", ".pkl", ".joblib"} & files, "no pickle in a saved approach"
        first.close()
        loaded = approach.load(task, Path(folder), context=Context())
        _assert_same(loaded.predict(test), said, "save and load must agree")
        loaded.close()
    again = _fitted(approach, task, train, seed=1 if approach.is_deterministic else 0)
    _assert_same(again.predict(test), said, "one seed (or any, if said so) must give one result")
    again.close()
    if approach.stands_beside:
        _check_beside(approach, task, train, test)


def _check_beside(
    approach: Approach, task: TaskSpec, train: Sequence[Example], test: Sequence[Example]
) -> None:
    """Two fits of unlike parts and seeds, done in one pass, are those that are done alone."""
    context = Context()
    parts = [FitPart(train, [], 0, context), FitPart(train[1:], [], 1, context)]
    alone = []
    for part in parts:
        predictor = _fitted(approach, task, part.train, part.seed)
        alone.append(predictor.predict(test))
        predictor.close()
    for predictor, expected in zip(approach.fit_beside(task, parts), alone, strict=True):
        said = predictor.predict(test)
        predictor.close()
        if said.scores is None or expected.scores is None:
            assert said.answers == expected.answers, "a fit must not depend on those beside it"
        else:
            np.testing.assert_allclose(
                said.scores,
                expected.scores,
                atol=1e-3,
                err_msg="a fit must not depend on those beside it, but for roundings",
            )


def _check_answer(answer: str | None, example: Example, task: TaskSpec) -> None:
    if answer is None:  # unreadable
        return
    named = task.kind.labels_in(answer)
    assert set(named) <= set(task.labels), "answers name labels of the task"
    if task.kind.has_entities:
        for found in read_entities(answer):
            words = example.texts[0][found.start : found.end]
            assert words == found.surface, "an entity is a stretch of its text"


def _fitted(
    approach: Approach, task: TaskSpec, train: Sequence[Example], seed: int = 0
) -> Predictor:
    return approach.fit(task, train, [], seed=seed, context=Context())


def _assert_same(found: Any, expected: Any, promise: str) -> None:
    assert found.answers == expected.answers, promise
    if expected.scores is not None:
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5, err_msg=promise)
