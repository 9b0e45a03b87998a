"""Entities written by a language model, textune against transformers' generate: tokens a second.

Both read the same prompts of SciERC sentences (textune's, with demonstrations) and write
greedily. Textune keeps to the grammar of the task, so its answers are lists of entities that occur
in the text; ``generate`` writes what it likes, in batches padded on the left, each up to the
longest limit of its batch. A token is one that was written, its end included. Timed is the call
that writes, with the reading of the prompts, in processes of their own, in turns.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from comparison import Round, keep
from fresh import gigabytes, in_fresh_process, peak_bytes, print_heading
from peers import MODEL, causal_peer


@dataclass(frozen=True)
class Job:
    """What both sides write."""

    model: str
    num_examples: int
    shots: int
    batch_size: int
    """Of ``generate``."""


@dataclass(frozen=True)
class Writing:
    """What one side needed."""

    seconds: float
    tokens: int
    peak_bytes: int


def write_textune(job: Job) -> Writing:
    """Written by the engine."""
    from textune.engine.causal import CausalEngine
    from textune.engine.readout import make_readout
    from textune.models.catalog import find_model
    from textune.models.device import precision_of
    from textune.models.load import load_causal

    loaded = load_causal(find_model(job.model), precision_of("auto"), "none")
    prompter, examples = _prompter(job, loaded.tokenizer)
    readout = make_readout(CausalEngine(loaded.model), prompter)
    start = time.perf_counter()
    said = readout.predict(examples)
    seconds = time.perf_counter() - start
    texts = loaded.tokenizer(said.raw, add_special_tokens=False)["input_ids"]
    return Writing(seconds, sum(len(ids) + 1 for ids in texts), peak_bytes())


def write_generate(job: Job) -> Writing:
    """Written by ``generate``."""
    from textune.models.device import device_name

    model, tokenizer = causal_peer(job.model)
    model.to(device_name())
    tokenizer.padding_side = "left"
    prompter, examples = _prompter(job, tokenizer)
    prompts = prompter.prompts(examples)
    limits = [2 * prompter.own_length(example) + 16 for example in examples]
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    tokens, start = 0, time.perf_counter()
    for first in range(0, len(order), job.batch_size):
        places = order[first : first + job.batch_size]
        batch = tokenizer.pad(
            {"input_ids": [list(prompts[place]) for place in places]}, return_tensors="pt"
        ).to(model.device)
        written = model.generate(
            **batch, do_sample=False, max_new_tokens=max(limits[place] for place in places)
        )[:, batch["input_ids"].shape[1] :]
        tokens += _num_written(written, prompter.end)
    return Writing(time.perf_counter() - start, tokens, peak_bytes())


def _num_written(tokens_SL: Any, end: int) -> int:
    """Tokens up to the first end of each row, with it."""
    total = 0
    for row in tokens_SL.tolist():
        total += row.index(end) + 1 if end in row else len(row)
    return total


def _prompter(job: Job, tokenizer: Any) -> tuple[Any, Sequence[Any]]:
    from textune.core.seeds import generator
    from textune.prompts.choosers.balanced import Balanced
    from textune.prompts.tokens import make_prompter
    from textune.tasks.base import load_task
    from textune.tasks.dataset import load_dataset

    task = load_task("scierc")
    dataset = load_dataset(task)
    assert dataset.test is not None, "SciERC comes with a dev file"
    shown = Balanced().kept(dataset.train.rows, task, job.shots, seed=0) if job.shots else ()
    chosen = generator(0, "benchmark").permutation(len(dataset.test))[: job.num_examples]
    prompter = make_prompter(task, shown, tokenizer, context=8192)
    return prompter, dataset.test.take(chosen.tolist()).rows


def main() -> None:
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default=MODEL, help="name or folder")
    parser.add_argument("--examples", type=int, default=64, help="sentences of SciERC's dev file")
    parser.add_argument("--shots", type=int, default=4, help="demonstrations")
    parser.add_argument("--batch-size", type=int, default=16, help="of generate")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured")
    asked = parser.parse_args()
    job = Job(asked.model, asked.examples, asked.shots, asked.batch_size)
    sides: dict[str, Callable[[Job], Writing]] = {
        "textune": write_textune,
        "generate": write_generate,
    }
    print_heading()
    rounds = []
    for number in range(1, asked.rounds + 1):
        speeds = []
        for name, work in sides.items():
            found = in_fresh_process(work, job)
            speeds.append(found.tokens / found.seconds)
            print(
                f"round {number}, {name}: {speeds[-1]:.1f} tokens/s ({found.tokens} tokens in "
                f"{found.seconds:.1f} s), peak {gigabytes(found.peak_bytes)}",
                flush=True,
            )
        rounds.append(Round(*speeds))
    keep("extract", rounds, job)


if __name__ == "__main__":
    main()
