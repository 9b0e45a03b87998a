"""Greedy answers of ``transformers serve`` against those of the local path, prompt by prompt.

Both have the same weights in float32 and are sent the same conversations: the server makes text of
them by the model's own chat template, and so does textune. Compared is what they write, letter by
letter, and the answers that are read of it. Then the server is killed and everything is asked
again: all answers must come from the disk.
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from fresh import print_heading
from peers import MODEL

from textune.approaches.base import Approach, Context
from textune.approaches.prompted import Prompted
from textune.approaches.served import Served
from textune.cost.meter import Usage, meter
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.models.catalog import find_model
from textune.models.fetch import local_folder
from textune.tasks.base import TaskSpec, load_task
from textune.tasks.dataset import load_dataset

START_SECONDS = 180


def main() -> int:
    """Ask both, compare, print; 0 when they are equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="scicite", help="a task of the library, or a task file")
    parser.add_argument("--examples", type=int, default=20)
    parser.add_argument("--shots", type=int, nargs="*", default=[0, 3])
    parser.add_argument("--tokens", type=int, default=24, help="most tokens of an answer")
    parser.add_argument("--model", default=MODEL, help="catalog name or folder")
    options = parser.parse_args()
    print_heading("openai", "uvicorn")
    task = load_task(options.task, beside=Path())
    dataset = load_dataset(task)
    train, test = dataset.train.rows, (dataset.test or dataset.train).rows[: options.examples]
    folder = str(local_folder(find_model(options.model)))
    differ = 0
    with tempfile.TemporaryDirectory() as cache:
        for shots in options.shots:
            local = Prompted(
                model=folder,
                shots=shots,
                precision="float32",
                answers="free",
                most_tokens=options.tokens,
            )
            ours, _ = answered(local, task, train, test)
            with serving(folder) as url:
                os.environ["TEXTUNE_CACHE"] = cache
                served = Served(model=folder, url=url, shots=shots, max_tokens=options.tokens)
                theirs, asked = answered(served, task, train, test)
            again, known = answered(served, task, train, test)
            differ += compare(f"{shots} shots", ours, theirs)
            same = "the same" if again.raw == theirs.raw else "OTHER"
            print(
                f"  of the server: {asked.tokens} tokens in {asked.wall_seconds:.1f} s; after it "
                f"was killed: {same} answers, {known.tokens} tokens, {known.wall_seconds:.1f} s "
                "on the record"
            )
            differ += again.raw != theirs.raw
    return 1 if differ else 0


def answered(
    approach: Approach, task: TaskSpec, train: Sequence[Example], test: Sequence[Example]
) -> tuple[Predictions, Usage]:
    """What an approach says, and what that took."""
    predictor = approach.fit(task, train, (), seed=0, context=Context())
    with meter() as running:
        said = predictor.predict(test)
    predictor.close()
    return said, running.usage


def compare(name: str, ours: Predictions, theirs: Predictions) -> int:
    """Print how many texts and answers are equal, and those that are not; how many differ."""
    assert ours.raw is not None, "free answers are written"
    assert theirs.raw is not None, "a server writes"
    pairs = [(a.strip(), b.strip()) for a, b in zip(ours.raw, theirs.raw, strict=True)]
    differ = [pair for pair in pairs if pair[0] != pair[1]]
    alike = sum(a == b for a, b in zip(ours.answers, theirs.answers, strict=True))
    readable = sum(answer is not None for answer in ours.answers)
    print(
        f"{name}: {len(pairs) - len(differ)} of {len(pairs)} texts and {alike} answers are equal; "
        f"{readable} can be read"
    )
    for one, other in differ:
        print(f"  local:  {one!r}\n  served: {other!r}")
    return len(differ)


@contextlib.contextmanager
def serving(folder: str) -> Iterator[str]:
    """The address of a server of one model, which is killed in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", folder]
    command += ["--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1"]
    command += ["--port", str(port)]
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Return when the server answers."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url):
            return
        time.sleep(0.5)
    raise SystemExit("the server does not start: pip install 'textune[bench]'")


if __name__ == "__main__":
    sys.exit(main())
