"""How fast the command line answers: wall time of commands that have nothing heavy to do.

``textune --help``, ``textune list methods``, ``import textune`` (less the start of Python), and
``textune study`` on studies of 6 and of 1,000 cells that are all done. Medians over ``--runs``; a
first run of each is not counted: it writes Python's bytecode caches, or does the cells.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from comparison import Round, keep
from fresh import print_heading

STUDIES = {
    "small": "protocol: {split: kfold, folds: 3}\napproaches: [majority, tfidf]\n",
    "large": f"protocol: {{split: kfold, folds: 5, seeds: {list(range(200))}}}\n"
    "approaches: [calibrated: {of: majority}]\n",  # something is drawn, so no seeds share a cell
}


@dataclass(frozen=True)
class Job:
    """How often each command is called."""

    runs: int


def seconds_of(command: Sequence[str], folder: Path) -> float:
    """Wall time of one call."""
    caching = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=caching, check=True, capture_output=True)
    return time.perf_counter() - start


def measured(name: str, command: Sequence[str], folder: Path, job: Job) -> list[float]:
    """Wall times of a command, printed."""
    seconds_of(command, folder)
    found = [seconds_of(command, folder) for _ in range(job.runs)]
    print(
        f"{name}: median {median(found):.3f} s, {min(found):.3f} to {max(found):.3f} in "
        f"{job.runs} runs",
        flush=True,
    )
    return found


def main() -> None:
    """Time each command and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=9, help="counted calls of each command")
    job = Job(parser.parse_args().runs)
    textune = str(Path(sys.executable).with_name("textune"))
    print_heading("typer", "pydantic")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, content in STUDIES.items():
            text = f"name: {name}\ntask: citation-sample\n{content}"
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        found = {
            " ".join(words): measured(f"textune {' '.join(words)}", [textune, *words], folder, job)
            for words in (
                ["--help"],
                ["list", "methods"],
                ["study", "small.yaml"],
                ["study", "large.yaml"],
            )
        }
        bare = measured("python", [sys.executable, "-c", ""], folder, job)
        with_textune = [sys.executable, "-c", "import textune"]
        imported = measured("python, import textune", with_textune, folder, job)
    start = median(bare)
    keep("cli-help", [Round(each) for each in found["--help"]], job)
    keep("cli-import", [Round(each - start) for each in imported], job)
    keep("cli-resume", [Round(each) for each in found["study large.yaml"]], job)


if __name__ == "__main__":
    main()
