"""Studies in processes of their own, killed at any moment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from textune.core.seeds import generator
from textune.results.store import Store

PATIENCE = 60.0
"""Seconds after which something that must happen has not happened."""
STUDY = """\
name: small
task: mood.yaml
protocol: {split: kfold, folds: 2, seeds: [0, 1]}
approaches: [majority, tfidf]
"""


def wait_for(happened: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.01)


def is_running(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def start(moods):
    """Starts the study in a process; what still runs at the end is killed."""
    begun: list[subprocess.Popen[bytes]] = []

    def call(root: str = "run") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "textune", "study", "study.yaml", "--run", root]
        log = (moods / "log").open("ab")
        with log:
            begun.append(subprocess.Popen(command, stdout=log, stderr=log))
        return begun[-1]

    yield call
    for process in begun:
        process.kill()
        process.wait(PATIENCE)


@pytest.fixture
def sleeper(moods, outside, start):
    """A study whose only cell sleeps, and the number of the worker process."""
    marker = moods / "asleep"
    approach = f"{{staged: {{act: sleep, marker: {marker}}}}}"
    text = (moods / "study.yaml").read_text().replace("[majority, tfidf]", f"[{approach}]")
    (moods / "study.yaml").write_text(text)
    process = start()
    wait_for(lambda: marker.exists() and marker.read_text(), "the cell to begin")
    return process, int(marker.read_text())


def test_a_worker_dies_with_its_study(sleeper):
    study, worker = sleeper
    study.kill()
    study.wait(PATIENCE)
    wait_for(lambda: not is_running(worker), "the worker's end")


def test_a_worker_that_the_system_kills_is_a_record(sleeper, moods):
    study, worker = sleeper
    os.kill(worker, signal.SIGKILL)
    assert study.wait(PATIENCE) == 1
    records = Store(moods / "run").records()
    kinds = [record.failure.kind if record.failure else "none" for record in records]
    assert sorted(kinds) == ["killed", "none"]  # the marker tells the second fold not to sleep


def test_ctrl_c_ends_study_and_worker_and_says_how_to_go_on(sleeper, moods):
    study, worker = sleeper
    for process in (worker, study.pid):  # a terminal signals both
        os.kill(process, signal.SIGINT)
    assert study.wait(PATIENCE) == 130
    wait_for(lambda: not is_running(worker), "the worker's end")
    lines = (moods / "log").read_text().split("\n")
    assert lines[-2] == "stopped; the same command goes on where this one stopped"
    assert "Traceback" not in "".join(lines)
    assert not Store(moods / "run").records()


def test_a_study_killed_again_and_again_ends_as_one_that_was_not(moods, start):
    (moods / "study.yaml").write_text(STUDY)
    assert start("whole").wait(PATIENCE) == 0
    store, draws = Store(moods / "run"), generator(0, "kills")
    written: dict[Path, int] = {}
    for wanted in (1, 5):
        process = start()
        wait_for(lambda n=wanted: len(found(store)) >= n, f"{wanted} records")
        time.sleep(draws.uniform(0.0, 0.05))
        process.kill()
        process.wait(PATIENCE)
        assert written.items() <= found(store).items(), "a finished cell was done again"
        written = found(store)
    assert start().wait(PATIENCE) == 0
    assert written.items() <= found(store).items(), "a finished cell was done again"
    whole = Store(moods / "whole")
    assert len(found(store)) == len(found(whole)) == 6, "the seeds of majority share a cell"
    for record in whole.records():
        expected, said = (s.predictions(record.fingerprint) for s in (whole, store))
        assert (said.ids, said.predictions.answers) == (expected.ids, expected.predictions.answers)
        assert said.predictions.scores.tolist() == expected.predictions.scores.tolist()
        assert store.load(record.fingerprint).scores == record.scores


def found(store: Store) -> dict[Path, int]:
    """Records and when they were written."""
    return {path: path.stat().st_mtime_ns for path in store.root.glob("cells/*/record.json")}
