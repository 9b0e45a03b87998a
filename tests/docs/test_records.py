import subprocess
import sys
import tarfile

import publish_result
import pytest


@pytest.fixture
def textune():
    def call(*words):
        command = [sys.executable, "-m", "textune", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)

    return call


def test_a_study_goes_on_from_kept_records_and_has_the_same_report(
    moods, textune, tmp_path, monkeypatch
):
    textune("study", "study.yaml")
    first = textune("report", "runs/small").stdout
    monkeypatch.setattr(publish_result, "RESULTS", tmp_path / "results")
    (tmp_path / "results").mkdir()
    publish_result.keep_records(tmp_path / "runs" / "small")
    (archive,) = (tmp_path / "results" / "records").iterdir()
    kept = archive.read_bytes()
    publish_result.keep_records(tmp_path / "runs" / "small")
    assert archive.read_bytes() == kept

    (tmp_path / "runs").rename(tmp_path / "before")
    with tarfile.open(archive) as members:
        names = [name.rpartition("/")[2] for name in members.getnames()]
        members.extractall(tmp_path / "runs", filter="data")
    assert sorted(set(names)) == ["cells.json", "predictions.parquet", "record.json", "study.yaml"]
    assert "4 cells, 4 of them done before" in textune("study", "study.yaml").stderr
    assert textune("report", "runs/small").stdout == first
