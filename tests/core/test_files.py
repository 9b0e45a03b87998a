import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from textune.core import files
from textune.core.errors import StoreError


def contents(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with files.replacing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert contents(path.parent) == {"a.txt"}


def test_a_folder_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "bundle"
    path.mkdir()
    (path / "old").touch()
    with files.replacing(path) as temporary:
        temporary.mkdir()
        (temporary / "new").write_text("x")
    assert contents(path) == {"new"}
    assert contents(tmp_path) == {"bundle"}


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir], ids=["a file", "a folder"])
def test_a_fault_in_the_middle_leaves_the_old_file_and_no_rest(tmp_path, make):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")

    def half() -> None:
        with files.replacing(path) as temporary:
            make(temporary)
            raise KeyError("in the middle")

    with pytest.raises(KeyError, match="in the middle"):
        half()
    assert path.read_text() == "old"
    assert contents(tmp_path) == {"a.txt"}


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path, full_disk):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with full_disk(), pytest.raises(StoreError, match=r"cannot write .*a.txt: No space") as raised:
        files.write_text(path, "new")
    assert raised.value.hint == "check permissions and free space"
    assert path.read_text() == "old"
    assert contents(tmp_path) == {"a.txt"}


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir], ids=["a file", "a folder"])
def test_what_a_killed_process_of_the_same_number_left_is_no_obstacle(tmp_path, make):
    make(tmp_path / f".bundle.{os.getpid()}.part")
    with files.replacing(tmp_path / "bundle") as temporary:
        temporary.mkdir()
    assert contents(tmp_path) == {"bundle"}


def test_a_place_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for attempt in (
        lambda: files.write_text(tmp_path / "file" / "a.txt", "x"),
        lambda: files.check_writable(tmp_path / "file" / "folder"),
        lambda: files.locked(tmp_path / "file" / "lock").__enter__(),
    ):
        with pytest.raises(StoreError, match=r"cannot write .*(Not a directory|in the way)"):
            attempt()


def test_proving_that_a_folder_takes_files_leaves_nothing(tmp_path):
    files.check_writable(tmp_path / "a" / "b")
    assert contents(tmp_path / "a" / "b") == set()


def test_a_lock_is_held_by_one_and_then_by_the_next(tmp_path):
    path = tmp_path / "lock"
    with (
        files.locked(path),
        pytest.raises(StoreError, match=f"another process is at work in {tmp_path}"),
        files.locked(path, wait=False),
    ):
        pass
    with files.locked(path, wait=False):
        pass


def test_a_lock_ends_with_its_process(tmp_path):
    code = (
        "import os, sys, pathlib; from textune.core.files import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "lock")], check=False)
    assert done.returncode == -9
    with files.locked(tmp_path / "lock", wait=False):
        pass


def test_a_digest_is_that_of_the_bytes(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert files.sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_a_folder_weighs_what_its_files_weigh(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_bytes(b"123")
    (tmp_path / "sub" / "b").write_bytes(b"4567")
    assert files.folder_bytes(tmp_path) == 7
