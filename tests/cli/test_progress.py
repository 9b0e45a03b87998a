import sys

import pytest
from rich.console import Console

from textune.cli import progress
from textune.cli.progress import CountProgress, FitProgress, StudyProgress
from textune.results.record import CellKey, Cost, Failure, Record
from textune.study.plan import Cell
from textune.study.worker import Step

LABEL = "words [bold] and [/odd] brackets, and a name that goes on beyond eighty columns of text"


@pytest.fixture
def cell():
    from textune.approaches.majority import Majority

    key = CellKey(task="mood", approach=LABEL, size=12, fold=1, seed=0)
    return Cell(key, "f" * 16, Majority(), (0,), (), (1,))


def record(cell, **content):
    return Record(fingerprint=cell.fingerprint, cell=cell.key, **content)


def done(cell, value):
    cost = Cost(fit_seconds=1.0, predict_seconds=0.5, cpu_seconds=1.0)
    return record(cell, status="done", scores={"macro_f1": value}, cost=cost)


def test_plain_progress_is_a_line_for_each_event(cell, capsys, monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_SECONDS", -1.0)
    with StudyProgress("macro_f1") as shown:
        shown.begin(4, 1)
        shown.started(cell)
        shown.stepped(cell, Step(cell.fingerprint, 3, 9, 0.25))
        shown.ended(cell, done(cell, 0.5))
        shown.ended(cell, done(cell, None))
        failure = Failure(kind="out of memory", message="needed [9] GiB")
        shown.ended(cell, record(cell, status="failed", failure=failure))
    said = capsys.readouterr()
    name = f"{LABEL}, fold 2, seed 0, 12 examples"
    assert said.out == ""
    assert said.err.splitlines() == [
        "4 cells, 1 of them done before",
        f"  {name}: step 3/9, loss 0.250",
        f"[2/4] {name}: macro_f1 50.0, 1.5 s",
        f"[3/4] {name}: macro_f1 undefined, 1.5 s",
        f"[4/4] {name}: FAILED, out of memory: needed [9] GiB",
    ]


def test_steps_are_told_now_and_then(cell, capsys):
    with StudyProgress("macro_f1") as shown:
        shown.begin(1, 0)
        shown.started(cell)
        for step in range(100):
            shown.stepped(cell, Step(cell.fingerprint, step, 100, 0.25))
    assert capsys.readouterr().err == "1 cells\n"


def test_a_terminal_shows_bars_with_labels_as_they_are(cell, monkeypatch):
    with StudyProgress("macro_f1") as shown:
        terminal = Console(force_terminal=True, color_system=None, highlight=False, width=250)
        shown.console = shown.bars.live.console = terminal
        shown.live = True
        shown.begin(2, 0)
        with terminal.capture() as captured:
            shown.started(cell)
            shown.stepped(cell, Step(cell.fingerprint, 3, 9, 0.25))
            terminal.print(shown.bars.get_renderable())
            shown.ended(cell, done(cell, 0.5))
    assert LABEL in captured.get()
    assert "loss 0.250" in captured.get()
    assert "[1/2]" in captured.get()


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
