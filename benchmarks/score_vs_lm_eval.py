"""Label scoring, textune against lm-evaluation-harness: examples a second, memory, agreement.

Both get the same prompts (textune's) and labels of SciCite dev sentences, and give the likelihood
of every label; textune with ``Readout.predict``, the harness with ``HFLM.loglikelihood``. Each
runs in a process of its own, one after the other, in turns. Timed is that call, which makes tokens
on both sides; loading comes before it. Memory is the largest resident memory of the process.

The harness encodes context and label together, and moves white space at the end of a context to
the label. The token ids of the whole are compared; the moved token adds the same number to all
labels of an example, so log-likelihoods are compared after normalising over the labels.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from comparison import Round, keep
from fresh import gigabytes, in_fresh_process, peak_bytes, print_heading
from peers import MODEL
from scicite import prompter_of, sentences, shown

if TYPE_CHECKING:
    from textune.prompts.tokens import Prompter


@dataclass(frozen=True)
class Job:
    """What both sides score."""

    model: str
    precision: str
    shots: int
    num_examples: int
    batch_size: str
    """Of the harness: a number, or ``auto``."""


@dataclass(frozen=True)
class Scoring:
    """What one side needed and said."""

    seconds: float
    peak_bytes: int
    log_NC: np.ndarray
    """Log-probability of each label, normalised over the labels."""
    ids: list[list[tuple[int, ...]]]
    """Tokens of context and label together, by example and label."""
    moved: int = 0
    """Tokens of the context that were scored with the label."""


def score_textune(job: Job) -> Scoring:
    """Labels scored on packed rows."""
    from textune.engine.causal import CausalEngine
    from textune.engine.readout import make_readout
    from textune.models.catalog import find_model
    from textune.models.load import load_causal

    loaded = load_causal(find_model(job.model), job.precision, "none")  # type: ignore[arg-type]  # one of argparse's choices
    prompter, examples = _prompter(job, loaded.tokenizer)
    readout = make_readout(CausalEngine(loaded.model), prompter)
    start = time.perf_counter()
    said = readout.predict(examples)
    seconds = time.perf_counter() - start
    peak = peak_bytes()
    answers = [prompter.answer(label) for label in prompter.task.labels]
    ids = [[(*p, *answer) for answer in answers] for p in prompter.prompts(examples)]
    assert said.scores is not None, "labels are scored"
    return Scoring(seconds, peak, np.log(said.scores), ids)


def score_lm_eval(job: Job) -> Scoring:
    """Labels scored by the harness."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from textune.models.catalog import find_model
    from textune.models.fetch import local_folder
    from textune.prompts.template import answer_text

    with contextlib.redirect_stdout(sys.stderr):  # it prints while it looks for a batch size
        folder = str(local_folder(find_model(job.model)))
        lm = HFLM(pretrained=folder, device="cpu", dtype=job.precision, batch_size=job.batch_size)
        prompter, examples = _prompter(job, lm.tokenizer)
        task = prompter.task
        contexts = [prompter.prompt.text(task.kind.input_text(e)) for e in examples]
        answers = [answer_text(task, label, lm.tokenizer) for label in task.labels]
        pairs = [(context, answer) for context in contexts for answer in answers]
        requests = [Instance("loglikelihood", {}, pair, at) for at, pair in enumerate(pairs)]
        start = time.perf_counter()
        found = lm.loglikelihood(requests, disable_tqdm=True)
        seconds = time.perf_counter() - start
    peak = peak_bytes()
    raw_NC = np.array([log for log, _ in found]).reshape(len(examples), -1)
    log_NC = raw_NC - np.logaddexp.reduce(raw_NC, axis=1, keepdims=True)
    encoded = [lm._encode_pair(*pair) for pair in pairs]
    joined = [(*context, *label) for context, label in encoded]
    width = len(answers)
    ids = [joined[at : at + width] for at in range(0, len(joined), width)]
    moved = len(encoded[0][1]) - len(prompter.answer(next(iter(task.labels))))
    return Scoring(seconds, peak, log_NC, ids, moved)


def _prompter(job: Job, tokenizer: Any) -> "tuple[Prompter, Sequence[Any]]":
    """The prompter with its demonstrations, and dev sentences."""
    prompter = prompter_of(tokenizer, "usual", shown=shown(job.shots))
    return prompter, sentences("test", job.num_examples)


def _print_agreement(ours: Scoring, theirs: Scoring) -> None:
    size, width = ours.log_NC.shape
    same_ids = sum(a == b for a, b in zip(ours.ids, theirs.ids, strict=True))
    same_labels = float(np.mean(ours.log_NC.argmax(1) == theirs.log_NC.argmax(1)))
    largest = float(np.abs(ours.log_NC - theirs.log_NC).max())
    print(
        f"  token ids of context and label: the same for {same_ids} of {size} examples x {width} "
        f"labels; tokens that lm-eval moved to the label: {theirs.moved}"
    )
    print(
        f"  same predicted label: {same_labels:.1%}; largest difference of a label's "
        f"log-likelihood, normalised over the labels: {largest:.2g}"
    )


def _measure(job: Job, rounds: int) -> None:
    sides: dict[str, Callable[[Job], Scoring]] = {
        "textune": score_textune,
        "lm-eval": score_lm_eval,
    }
    kept = []
    for round_number in range(1, rounds + 1):
        found = {}
        for name, work in sides.items():
            found[name] = in_fresh_process(work, job)
            speed = job.num_examples / found[name].seconds
            print(
                f"{job.shots}-shot, round {round_number}, {name}: {speed:.2f} examples/s "
                f"({found[name].seconds:.1f} s), peak {gigabytes(found[name].peak_bytes)}",
                flush=True,
            )
        speeds = [job.num_examples / found[name].seconds for name in sides]
        kept.append(Round(*speeds))
        _print_agreement(found["textune"], found["lm-eval"])
    keep(f"score-{job.shots}-shot", kept, job, packages=["lm-eval"])


def main() -> None:
    """Measure without and with demonstrations, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default=MODEL, help="name or folder")
    parser.add_argument("--examples", type=int, default=200, help="dev sentences of SciCite")
    parser.add_argument("--shots", type=int, nargs="+", default=[0, 8], help="demonstrations")
    parser.add_argument("--precision", choices=["auto", "bfloat16", "float32"], default="auto")
    parser.add_argument("--batch-size", default="16", help="of the harness: a number, or auto")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured")
    asked = parser.parse_args()
    from textune.models.device import precision_of

    print_heading("lm-eval")
    precision = precision_of(asked.precision)
    print(f"number format: {precision}, batch size of lm-eval: {asked.batch_size}")
    for shots in asked.shots:
        job = Job(asked.model, precision, shots, asked.examples, asked.batch_size)
        _measure(job, asked.rounds)


if __name__ == "__main__":
    main()
