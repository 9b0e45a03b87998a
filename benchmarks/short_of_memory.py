"""Training in less memory than it would take: peak, time and loss of the same steps.

LoRA of rank 16 on SciCite sentences, with all the memory and with limits. Each training is a
process of its own. Memory is the largest resident memory of the process, loading included; time
that of the training alone, processor seconds of all threads, which other work disturbs little.
"""

import argparse
import time
from dataclasses import asdict, dataclass
from typing import Any

from comparison import write
from fresh import gigabytes, in_fresh_process, peak_bytes, print_heading
from peers import LR, MODEL, WARMUP_STEPS
from scicite import items_of, prompter_of, sentences


@dataclass(frozen=True)
class Job:
    """What is trained, and in how much memory."""

    model: str
    num_examples: int
    batch_size: int
    memory: int
    """Bytes."""


@dataclass(frozen=True)
class Training:
    """What it took."""

    micro_batches: int
    """Of the largest batch."""
    recomputed: bool
    cpu_seconds: float
    peak_bytes: int
    loss: float
    """Of the last step."""


def train_within(job: Job) -> Training:
    """One epoch in so much memory."""
    import torch

    from textune.engine.causal import CausalEngine
    from textune.methods.lora import LoRA
    from textune.models.catalog import find_model
    from textune.models.device import precision_of
    from textune.models.load import load_causal
    from textune.training.accumulation import accumulation, room_beside
    from textune.training.loop import Trainee, Watch, train
    from textune.training.objective import Objective, num_answer_tokens
    from textune.training.settings import TrainingSpec

    loaded = load_causal(find_model(job.model), precision_of("auto"), "none")
    torch.manual_seed(0)
    adapted = LoRA(rank=16, alpha=32).apply(loaded.model, [])
    prompter = prompter_of(loaded.tokenizer, "usual")
    items = items_of(prompter, sentences("train", job.num_examples))
    objective = Objective(CausalEngine(loaded.model).answer_loss, num_answer_tokens)
    spec = TrainingSpec(epochs=1, batch_size=job.batch_size, warmup_steps=WARMUP_STEPS)
    room = room_beside(adapted, job.memory, keeps_best=False)
    start, losses = time.process_time(), []
    found = accumulation(loaded.model, adapted, objective, items, spec, room)
    trainee: Any = Trainee(adapted, found.loss, micro_batches=found.micro_batches)
    watch = Watch(report=lambda *step: losses.append(step[-1]))
    with found.prepared():
        train(trainee, items, spec, lr=LR, seed=0, watch=watch)
    seconds, notes = time.process_time() - start, {"micro_batches": 1, **found.notes}
    again = notes.get("recomputed") == "yes"
    return Training(int(notes["micro_batches"]), again, seconds, peak_bytes(), losses[-1])


def main() -> None:
    """Train without and with limits, print, and keep what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default=MODEL, help="name or folder")
    parser.add_argument("--examples", type=int, default=64, help="training examples of SciCite")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument(
        "--gigabytes", type=float, nargs="+", default=[100, 4, 3, 2, 1.5], help="limits to try"
    )
    asked = parser.parse_args()
    print_heading()
    found = []
    for limit in asked.gigabytes:
        job = Job(asked.model, asked.examples, asked.batch_size, int(1e9 * limit))
        each = in_fresh_process(train_within, job)
        found.append(asdict(job) | asdict(each))
        again = ", layers run again" if each.recomputed else ""
        print(
            f"within {limit:g} GB: {each.micro_batches} micro-batches{again}, "
            f"peak {gigabytes(each.peak_bytes)}, {each.cpu_seconds:.1f} s of processor time, "
            f"loss at the end {each.loss:.6f}",
            flush=True,
        )
    write("short-of-memory", {"trainings": found})


if __name__ == "__main__":
    main()
