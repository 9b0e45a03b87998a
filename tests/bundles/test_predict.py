import csv
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from textune.bundles import predict
from textune.bundles.bundle import Bundle
from textune.bundles.predict import predict_file
from textune.core.errors import DataError, StoreError
from textune.data.examples import Example

ROWS = [Example(f"n{i}", (f"a {'nice' if i % 3 else 'poor'} day {i}",)) for i in range(10)]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(predict, "CHUNK", 3)


class Counting:
    """Counts what the predictor of a bundle is asked."""

    def __init__(self, bundle: Bundle, *, stop_after: int | None = None) -> None:
        self.inner = bundle.predictor
        self.asked: list[str] = []
        self.stop_after = stop_after

    def predict(self, examples):
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked += [e.id for e in examples]
        return self.inner.predict(examples)


def counted(bundle, **options):
    return replace(bundle, predictor=Counting(bundle, **options))


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_every_row_gets_a_label_and_a_score_for_each(bundle, tmp_path, ending):
    out = tmp_path / f"out{ending}"
    told = []
    assert predict_file(bundle, iter(ROWS), out, report=told.append) == 10
    assert told == [3, 6, 9, 10]
    said = bundle.predictor.predict(ROWS)
    with out.open(newline="", encoding="utf-8") as handle:
        if ending == ".csv":
            rows = [
                (r["id"], r["label"], [float(r["score:good"]), float(r["score:bad"])])
                for r in csv.DictReader(handle)
            ]
        else:
            read = [json.loads(line) for line in handle]
            rows = [(r["id"], r["label"], [r["scores"][n] for n in ("good", "bad")]) for r in read]
    assert [row[:2] for row in rows] == [
        (e.id, a) for e, a in zip(ROWS, said.answers, strict=True)
    ]
    for row, expected in zip(rows, said.scores, strict=True):
        assert row[2] == pytest.approx(expected, abs=1e-6)
    assert not (tmp_path / f"out{ending}.part").exists()


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_what_was_labelled_before_a_stop_is_kept_and_not_asked_again(bundle, tmp_path, ending):
    out, whole = tmp_path / f"out{ending}", tmp_path / f"whole{ending}"
    predict_file(bundle, ROWS, whole)
    with pytest.raises(KeyboardInterrupt):
        predict_file(counted(bundle, stop_after=6), ROWS, out)
    assert not out.exists()
    again = counted(bundle)
    assert predict_file(again, ROWS, out) == 10
    assert again.predictor.asked == ["n6", "n7", "n8", "n9"]
    assert out.read_bytes() == whole.read_bytes()


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@example(["\r"], ".csv", 1.0)
@example(['a"\n', "0\r", "b\r\n"], ".csv", 0.7)
@given(
    st.lists(NAMES, min_size=1, max_size=6, unique=True),
    st.sampled_from([".csv", ".jsonl"]),
    st.floats(0, 1),
)
def test_a_file_cut_at_any_byte_ends_as_one_that_was_not(bundle, names, ending, share):
    rows = [Example(name, ("a nice day",)) for name in names]
    with tempfile.TemporaryDirectory() as folder:
        out, part = Path(folder) / f"out{ending}", Path(folder) / f"out{ending}.part"
        predict_file(bundle, rows, out)
        whole = out.read_bytes()
        out.unlink()
        part.write_bytes(whole[: round(share * len(whole))])
        predict_file(bundle, rows, out)
        assert out.read_bytes() == whole


def test_rows_are_read_as_they_are_needed(bundle, tmp_path):
    asked = counted(bundle)

    def rows():
        for place, row in enumerate(ROWS):
            assert len(asked.predictor.asked) >= place - predict.CHUNK
            yield row

    assert predict_file(asked, rows(), tmp_path / "out.csv") == 10


@pytest.mark.parametrize(
    "others", [ROWS[1:], ROWS[:4], [*ROWS[:2], Example("other", ("x",)), *ROWS[3:]], []]
)
def test_the_part_of_another_input_is_refused_and_kept(bundle, tmp_path, others):
    out, part = tmp_path / "out.csv", tmp_path / "out.csv.part"
    predict_file(bundle, ROWS, out)
    out.rename(part)
    before = part.read_bytes()
    with pytest.raises(DataError, match=r"out\.csv\.part: row . is 'n.', the input has") as raised:
        predict_file(bundle, others, out)
    assert "delete the .part file" in raised.value.hint
    assert part.read_bytes() == before


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (".jsonl", b"no JSON\n"),
        (".jsonl", b"[]\n"),
        (".jsonl", b'{"label": "good"}\n'),
        (".jsonl", b"\xff\n"),
        (".csv", b"id,label,score:other\n"),
        (".csv", b"id,label,score:good,score:bad\n\n"),
    ],
)
def test_a_damaged_part_is_refused_and_kept(bundle, tmp_path, ending, content):
    part = tmp_path / f"out{ending}.part"
    part.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged .*part") as raised:
        predict_file(bundle, ROWS, tmp_path / f"out{ending}")
    assert raised.value.hint == "delete it to start anew"
    assert part.read_bytes() == content


def test_a_full_disk_keeps_what_was_labelled(bundle, tmp_path, full_disk):
    out = tmp_path / "out.csv"
    with full_disk(), pytest.raises(StoreError, match=r"cannot write .*out.csv: No space left"):
        predict_file(bundle, ROWS, out)
    assert predict_file(bundle, ROWS, out) == 10


def test_a_bad_first_row_leaves_nothing(bundle, tmp_path):
    def rows():
        raise DataError("line 2: bad", hint="mend it")
        yield

    with pytest.raises(DataError, match="line 2"):
        predict_file(bundle, rows(), tmp_path / "new" / "out.csv")
    assert not (tmp_path / "new").exists()


def test_only_known_endings_are_written(bundle, tmp_path):
    with pytest.raises(StoreError, match="unknown ending") as raised:
        predict_file(bundle, ROWS, tmp_path / "out.xlsx")
    assert raised.value.hint == "use .csv or .jsonl"
