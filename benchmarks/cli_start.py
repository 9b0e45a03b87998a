"""How fast the command line answers: wall time of commands that have nothing heavy to do.

``textune --help``, ``textune list methods``, and ``textune study`` on a study whose cells are all
done (approaches without a language model). Medians over ``--runs``; a first run of each is not
counted: it writes Python's bytecode caches.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from fresh import print_heading

STUDY = """\
name: small
task: citation-sample
protocol: {split: kfold, folds: 3}
approaches: [majority, tfidf]
"""


def seconds_of(command: Sequence[str], folder: Path) -> float:
    """Wall time of one call."""
    caching = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=caching, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Time each command and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=9, help="counted calls of each command")
    asked = parser.parse_args()
    textune = str(Path(sys.executable).with_name("textune"))
    print_heading("typer", "pydantic")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "small.yaml").write_text(STUDY, encoding="utf-8")
        for words in (["--help"], ["list", "methods"], ["study", "small.yaml"]):
            seconds_of([textune, *words], folder)
            found = [seconds_of([textune, *words], folder) for _ in range(asked.runs)]
            print(
                f"textune {' '.join(words)}: median {median(found):.3f} s, "
                f"{min(found):.3f} to {max(found):.3f} in {asked.runs} runs"
            )


if __name__ == "__main__":
    main()
