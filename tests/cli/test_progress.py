import sys
from dataclasses import replace

import pytest
from rich.console import Console

from textune.cli import progress
from textune.cli.progress import CountProgress, FitProgress, StudyProgress
from textune.results.record import CellKey, Cost, Failure, Record
from textune.study.plan import Cell, make_plan
from textune.study.spec import build_study
from textune.study.worker import Step

LABEL = "words [bold] and [/odd] brackets, and a name that goes on beyond eighty columns of text"


@pytest.fixture
def cell():
    from textune.approaches.majority import Majority

    key = CellKey(task="mood", approach=LABEL, size=12, fold=1, seed=0)
    return Cell(key, "f" * 16, Majority(), (0,), (), (1,))


@pytest.fixture
def plan(moods):
    """Of four cells, in a part or in a study without parts."""

    def make(part=""):
        content = {
            "name": "small",
            "task": "mood.yaml",
            "protocol": {"split": "kfold", "folds": 2, "seeds": [0, 1]},
            "approaches": ["majority"],
        }
        return make_plan(replace(build_study(content, where="test", beside=moods), part=part))

    return make


def record(cell, **content):
    return Record(fingerprint=cell.fingerprint, cell=cell.key, **content)


def done(cell, value):
    cost = Cost(fit_seconds=1.0, predict_seconds=0.5, cpu_seconds=1.0)
    return record(cell, status="done", scores={"macro_f1": value}, cost=cost)


def test_plain_progress_is_a_line_for_each_event(cell, plan, capsys, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_SECONDS", -1.0)
    with StudyProgress(4) as shown:
        shown.begin(plan(), 1, 0)
        shown.started(cell)
        shown.read(cell, 1200)
        shown.stepped(cell, Step(cell.fingerprint, 3, 9, 0.25))
        shown.read(cell, 1500)
        shown.stepped(cell, Step(cell.fingerprint, 9, 9, 0.25))
        shown.read(cell, 300)
        shown.ended(cell, done(cell, 0.5))
        shown.ended(cell, done(cell, None))
        failure = Failure(kind="out of memory", message="needed [9] GiB")
        shown.ended(cell, record(cell, status="failed", failure=failure))
    said = capsys.readouterr()
    name = f"{LABEL}, fold 2, seed 0, 12 examples"
    assert said.out == ""
    assert said.err.splitlines() == [
        "4 cells, 1 of them done before",
        f"  {name}: 1,200 tokens read",
        f"  {name}: step 3/9, loss 0.250",
        f"  {name}: step 9/9, loss 0.250",
        f"  {name}: 300 tokens read",
        f"[2/4] {name}: macro_f1 50.0, 1.5 s",
        f"[3/4] {name}: macro_f1 undefined, 1.5 s",
        f"[4/4] {name}: FAILED, out of memory: needed [9] GiB",
    ]


def test_parts_are_named_and_counted_together(cell, plan, capsys):
    with StudyProgress(8) as shown:
        for part in ("one", "two"):
            shown.begin(plan(part), 2, 0)
            shown.started(cell)
            shown.ended(cell, done(cell, 0.5))
            shown.ended(cell, done(cell, 0.5))
    name = f"{LABEL}, fold 2, seed 0, 12 examples: macro_f1 50.0, 1.5 s"
    assert capsys.readouterr().err.splitlines() == [
        "one: 4 cells, 2 of them done before",
        f"[3/8] one: {name}",
        f"[4/8] one: {name}",
        "two: 4 cells, 2 of them done before",
        f"[7/8] two: {name}",
        f"[8/8] two: {name}",
    ]


def test_steps_are_told_now_and_then(cell, plan, capsys):
    with StudyProgress(4) as shown:
        shown.begin(plan(), 0, 0)
        shown.started(cell)
        for step in range(100):
            shown.stepped(cell, Step(cell.fingerprint, step, 100, 0.25))
    assert capsys.readouterr().err == "4 cells\n"


def test_cells_that_repeat_another_are_not_called_done_before(plan, capsys):
    with StudyProgress(4) as shown:
        shown.begin(plan(), 1, 2)
    said = "4 cells, 1 of them done before, 2 the same as another\n"
    assert (capsys.readouterr().err, shown.done) == (said, 3)


def test_a_terminal_shows_bars_with_labels_as_they_are(cell, plan, monkeypatch):
    with StudyProgress(4) as shown:
        terminal = Console(force_terminal=True, color_system=None, highlight=False, width=250)
        shown.console = shown.bars.live.console = terminal
        shown.live = True
        shown.begin(plan("here"), 0, 0)
        with terminal.capture() as captured:
            shown.started(cell)
            shown.stepped(cell, Step(cell.fingerprint, 3, 9, 0.25))
            terminal.print(shown.bars.get_renderable())
            shown.stepped(cell, Step(cell.fingerprint, 9, 9, 0.25))
            shown.read(cell, 1200)
            terminal.print(shown.bars.get_renderable())
            shown.ended(cell, done(cell, 0.5))
    assert f"here: {LABEL}" in captured.get()
    assert "loss 0.250" in captured.get()
    assert "1,200 tokens read" in captured.get()
    assert "[1/4]" in captured.get()


def test_counts_are_a_moving_line_on_a_terminal_and_rare_lines_elsewhere(capsys, monkeypatch):
    elsewhere = CountProgress()
    elsewhere(256)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    terminal = CountProgress()
    for number in (256, 1024):
        terminal(number)
    terminal.finish()
    assert capsys.readouterr().err == "\rlabelled: 256\rlabelled: 1,024\n"


def test_a_fit_shows_its_loss_and_step(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_SECONDS", -1.0)
    FitProgress()(3, 9, 0.25)
    assert capsys.readouterr().err == "training: step 3 of 9, loss 0.250\n"
