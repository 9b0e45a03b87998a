"""Folds of LoRA side by side, against the same folds one after the other: examples a second.

Both are textune's own fits of the default method on drawn folds of SciCite, with the same batches;
the base is loaded before. Labels of a few sentences are asked of both, which must agree but for
roundings.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from comparison import Round, keep
from fresh import gigabytes, in_fresh_process, peak_bytes, print_heading
from peers import MODEL, named
from scicite import sentences


@dataclass(frozen=True)
class Job:
    """What both do."""

    model: str
    folds: int
    num_examples: int
    """Of the training part of each fold."""
    batch_size: int
    together: bool


@dataclass(frozen=True)
class Fitted:
    """What one way needed and said."""

    seconds: float
    peak_bytes: int
    scores: list[Any]
    """Of the asked sentences (N, C), for each fold."""


def fit(job: Job) -> Fitted:
    """All folds in one way."""
    from textune.approaches.base import Context, FitPart
    from textune.approaches.tuned import Tuned
    from textune.tasks.base import load_task
    from textune.training.settings import TrainingSpec

    training = TrainingSpec(epochs=1, batch_size=job.batch_size)
    approach, task = Tuned(model=job.model, training=training), load_task("scicite")
    every, asked = sentences("train", job.folds * job.num_examples), sentences("test", 20)
    context = Context()
    approach.warm_up(context)
    parts = [FitPart(every[at :: job.folds], [], 0, context) for at in range(job.folds)]
    start, scores = time.perf_counter(), []
    if job.together:
        predictors = approach.fit_beside(task, parts)
    else:
        predictors = (
            approach.fit(task, part.train, [], seed=part.seed, context=context) for part in parts
        )
    spent = 0.0
    for predictor in predictors:
        spent += time.perf_counter() - start
        scores.append(predictor.predict(asked).scores)
        predictor.close()
        start = time.perf_counter()
    return Fitted(spent, peak_bytes(), scores)


def compare(jobs: Sequence[Job]) -> Round:
    """Measure one after the other, then together, and print."""
    import numpy as np

    found = [in_fresh_process(fit, job) for job in jobs]
    speeds = [jobs[0].folds * jobs[0].num_examples / each.seconds for each in found]
    pairs = list(zip(*(each.scores for each in found), strict=True))
    largest = max(float(np.abs(one - other).max()) for one, other in pairs)
    same = np.mean([(one.argmax(1) == other.argmax(1)).mean() for one, other in pairs])
    for name, speed, each in zip(("one by one", "together"), speeds, found, strict=True):
        print(f"{name}: {speed:.2f} examples/s, peak {gigabytes(each.peak_bytes)}", flush=True)
    print(f"  same labels: {same:.1%}, largest difference of a score {largest:.2g}")
    return Round(speeds[1], speeds[0])


def main() -> None:
    """Measure in turns, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default=MODEL, help="name or folder")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--examples", type=int, default=32, help="of each fold's training part")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=1)
    asked = parser.parse_args()
    print_heading()
    sizes = (asked.model, asked.folds, asked.examples, asked.batch_size)
    jobs = [Job(*sizes, together=together) for together in (False, True)]
    keep(
        f"{named(asked.model)}side-by-side", [compare(jobs) for _ in range(asked.rounds)], jobs[1]
    )


if __name__ == "__main__":
    main()
