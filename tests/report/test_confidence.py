import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from textune.report import figures
from textune.report.blocks import Details, Figure, Table, Text
from textune.report.compare import compare
from textune.report.confidence import STEPS, judge
from textune.report.look import Palette
from textune.report.recommend import NO_LIMITS, recommend
from textune.report.sections.base import Context
from textune.report.sections.confidence import MAX_DRAWN, Confidence

STUDY = {
    "lora": {"accuracy": 0.9},
    "tfidf": {"accuracy": 0.6, "family": "small model"},
    "written": {"accuracy": 0.8, "has_scores": False},
}


def context_of(root):
    comparison = compare(root)
    palette = Palette(tuple(comparison.loaded.run.approaches))
    return Context(comparison, recommend(comparison, NO_LIMITS), palette)


def blocks_of(root):
    return Confidence().blocks(context_of(root))


def tables_of(root):
    flat = []
    for block in blocks_of(root):
        flat += block.blocks if isinstance(block, Details) else [block]
    return {block.name: block for block in flat if isinstance(block, Table)}


def row(table, label):
    cells = next(r.cells for r in table.rows if r.cells[0] == label)
    return dict(zip([c.title for c in table.columns], cells, strict=True))


def test_nothing_is_said_where_no_approach_has_scores(make_run):
    assert blocks_of(make_run({"written": {"accuracy": 0.8, "has_scores": False}})) == []


def test_an_approach_without_scores_is_named_and_left_out(make_run):
    root = make_run(STUDY)
    table = tables_of(root)["confidence"]
    assert [r.cells[0] for r in table.rows] == ["lora", "tfidf"]
    (note,) = [b for b in blocks_of(root) if isinstance(b, Text) and b.role == "note"]
    assert note.text.endswith("Without scores: written.")


def test_the_table_holds_what_the_stored_predictions_say(make_run):
    root = make_run(STUDY, folds=3, seeds=(0, 1), num_examples=300)
    context = context_of(root)
    entry = context.comparison.entry("tfidf")
    gold = context.comparison.loaded.tested.answers
    found = row(tables_of(root)["confidence"], "tfidf")
    rights = [accuracy_score(gold, answers) for answers in entry.contender.answers]
    assert found["Accuracy"] == pytest.approx(np.mean(rights))
    given = [s.confidence for of_seed in entry.contender.said for s in of_seed]
    assert found["Confidence"] == pytest.approx(np.mean(given))
    assert 0.05 < found["ECE"] < 1
    assert found["AURC"].low < found["AURC"].score < found["AURC"].high
    assert found["Brier score"] == pytest.approx(entry.metrics["brier"])


def test_coverage_is_whole_for_who_is_right_often_enough(make_run):
    table = tables_of(make_run({"a": {"accuracy": 0.99}, "b": {"accuracy": 0.3}}))["confidence"]
    assert row(table, "a")["Coverage at 95 %"].score == 1
    assert row(table, "b")["Coverage at 95 %"].score < 0.2


def test_answers_that_cannot_be_read_have_no_confidence_and_are_left_out_first(make_run):
    root = make_run({"a": {"accuracy": 1.0, "invalid": 0.25}}, num_examples=200)
    context = context_of(root)
    judged = judge(context.comparison, context.comparison.entries[0])
    num_invalid = int(np.isneginf(judged.confidences[0]).sum())
    assert 30 < num_invalid < 70
    assert judged.num_known == 200 - num_invalid
    assert judged.share_right == 1
    assert judged.curve[STEPS.index(50)] == 1
    assert judged.curve[-1] == pytest.approx(1 - num_invalid / 200)
    assert judged.abstention.coverage[1].mean >= 1 - num_invalid / 200


def test_bins_and_curves_stand_in_tables_of_their_own(make_run):
    tables = tables_of(make_run(STUDY))
    assert list(tables) == ["confidence", "reliability", "abstention"]
    answers = [r.cells[2] for r in tables["reliability"].rows if r.cells[0] == "lora"]
    assert sum(answers) == 240
    assert [c.title for c in tables["abstention"].columns][1:3] == ["10 %", "20 %"]


def test_charts_show_the_best_of_each_approach_and_say_what_is_left_out(make_run):
    sizes = make_run({"a": {"accuracy": 0.6, "gain": 0.2}}, sizes=(100, 500))
    figures_ = [b for b in blocks_of(sizes) if isinstance(b, Figure)]
    assert [f.name for f in figures_] == ["reliability", "abstention"]
    assert all(f.caption.endswith("1 of 2 are shown.") for f in figures_)
    text = figures.svg(figures_[0].spec)
    assert "a (n=500)" in text
    assert "a (n=100)" not in text
    assert "accuracy (%)" in figures.svg(figures_[1].spec)


def test_no_more_lines_are_drawn_than_can_be_told_apart(make_run):
    many = {f"a{at:02d}": {"accuracy": 0.5 + at / 50} for at in range(MAX_DRAWN + 3)}
    reliability, abstention = [b for b in blocks_of(make_run(many)) if isinstance(b, Figure)]
    assert len(reliability.spec["concat"]) == MAX_DRAWN
    assert reliability.caption.endswith(f"{MAX_DRAWN} of {MAX_DRAWN + 3} are shown.")
    assert "stroke-dasharray" in figures.svg(abstention.spec)
