import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from textune.cli.main import run


@dataclass(frozen=True)
class Said:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    def check_refused(self, *, error: str, hint: str) -> None:
        """Exit 2, nothing on stdout, and on stderr one line and a hint that hold these words."""
        lines = self.err.splitlines()
        assert (self.code, self.out, len(lines)) == (2, "", 2), self
        assert lines[0].startswith("error: "), self.err
        assert error in lines[0]
        assert lines[1].startswith("hint: "), self.err
        assert hint in lines[1]


@pytest.fixture
def textune(monkeypatch, capsys) -> Callable[..., Said]:
    """The command line in this process."""

    def call(*words: str) -> Said:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["textune", *words])
        with pytest.raises(SystemExit) as ended:
            run()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def process(tmp_path) -> Callable[..., tuple[Said, set[str]]]:
    """The command line in a process of its own; also gives the packages that it imported."""
    code = (
        "import atexit, pathlib, sys\n"
        "names = lambda: {name.partition('.')[0] for name in sys.modules}\n"
        "write = pathlib.Path(sys.argv.pop(1)).write_text\n"
        "atexit.register(lambda: write(' '.join(sorted(names()))))\n"
        "from textune.cli.main import run\n"
        "run()\n"
    )

    def call(*words: str) -> tuple[Said, set[str]]:
        listed = tmp_path / "imported"
        command = [sys.executable, "-c", code, str(listed), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        said = Said(done.returncode, done.stdout, done.stderr)
        return said, set(listed.read_text(encoding="utf-8").split())

    return call


@pytest.fixture
def refused(textune, tmp_path) -> Callable[..., None]:
    """Runs a command that must be refused in one line and a hint, and must leave no trace."""

    def call(*words: str, error: str, hint: str) -> None:
        before = _contents(tmp_path)
        said = textune(*words)
        said.check_refused(error=error, hint=hint)
        assert _contents(tmp_path) == before, "a refused command must change nothing"

    return call


def _contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
