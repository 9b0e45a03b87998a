import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: threads of two tests spin at once
# How fast is no property. The same examples each time: a change fails for what it changed;
# HYPOTHESIS_PROFILE=search looks for new ones.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

OUTSIDE = Path(__file__).parent / "outside"
MOOD_WORDS = {"good": "nice great fine lovely superb", "bad": "awful poor sad dire worst"}
MOOD_TASK = """\
name: mood
kind: classify
instruction: Say how the text feels.
labels: {good: a happy text, bad: an unhappy text}
data: {train: mood.csv, columns: {text: text, answer: label, id: id}}
"""
MOOD_STUDY = """\
name: small
task: mood.yaml
protocol: {split: kfold, folds: 2}
approaches: [majority, tfidf]
"""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets: $TEXTUNE_DATA, or ``shared/data`` beside the project."""
    named = os.environ.get("TEXTUNE_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is no folder (TEXTUNE_DATA names it)")
    return folder


@pytest.fixture
def moods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: 24 labelled texts in ``mood.csv``, ``mood.yaml`` and ``study.yaml``."""
    rows = ["id,text,label"]
    for place in range(12):
        for label, words in MOOD_WORDS.items():
            first, second = (words.split()[(place + step) % 5] for step in (0, 1 + place // 5))
            rows.append(f"{label}-{place},it was a {first} and {second} day,{label}")
    (tmp_path / "mood.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")
    (tmp_path / "mood.yaml").write_text(MOOD_TASK, encoding="utf-8")
    (tmp_path / "study.yaml").write_text(MOOD_STUDY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEXTUNE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of somebody else with the approaches ``staged`` and ``pairs_only``."""
    monkeypatch.syspath_prepend(OUTSIDE)
    monkeypatch.setenv("PYTHONPATH", str(OUTSIDE))
    return OUTSIDE


@pytest.fixture
def full_disk() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """A block in which nothing reaches the disk: it is full."""

    def refuse(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextlib.contextmanager
    def block():
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(os, "fsync", refuse)
            yield

    return block
