import pytest

from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.results.run import load_run
from textune.study.work import _changed
from textune.tasks.base import load_task

QUESTIONS = load_task("questions-sample")
ORDERED = load_task("nli4ct")


class ByFirstText:
    """Says duplicate where the first text is the longer one."""

    def predict(self, examples):
        longer = [len(e.texts[0]) > len(e.texts[1]) for e in examples]
        return Predictions(["duplicate" if yes else "different" for yes in longer])


PAIRS = [
    Example("1", ("a longer text", "short")),
    Example("2", ("short", "a longer text")),
    Example("3", ("alike", "alike")),
    Example("4", ("alike", "other")),
]


def test_how_often_an_answer_depends_on_the_order_is_measured():
    said = ByFirstText().predict(PAIRS)
    assert _changed(ByFirstText(), QUESTIONS, PAIRS, said) == {"order_disagreement": 0.5}


def test_tasks_whose_order_means_something_are_not_asked_again():
    class Never:
        def predict(self, examples):
            raise AssertionError(f"asked about {len(examples)} pairs")

    assert _changed(Never(), ORDERED, PAIRS, Predictions([None] * 4)) == {}
    assert ORDERED.kind.turned(PAIRS[0]) is None
    assert QUESTIONS.kind.turned(PAIRS[0]) == Example("1", ("short", "a longer text"))


@pytest.mark.parametrize("symmetric", [True, False])
def test_records_of_symmetric_tasks_alone_have_it(plan_of, run, moods, symmetric):
    rows = [
        f"{one} here,{one} there,{'same' if one in 'acegikmo' else 'other'}"
        for one in "abcdefghijklmnop"
    ]
    (moods / "pairs.csv").write_text("\n".join(["one,two,label", *rows, ""]))
    columns = {"text": ["one", "two"], "answer": "label"}
    task = {
        "name": "pairs",
        "kind": {"pair": {"symmetric": symmetric}},
        "instruction": "Say whether they are the same.",
        "labels": {"same": "", "other": ""},
        "data": {"train": "pairs.csv", "columns": columns},
    }
    outcome, heard = run(plan_of("majority", task=task))
    assert outcome.failed == 0
    assert heard.records["majority"].scores.get("order_disagreement") == (
        0.0 if symmetric else None
    )
    assert load_run(moods / "run").task.kind.symmetric is symmetric
