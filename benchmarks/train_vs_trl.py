"""LoRA training, textune against TRL's SFTTrainer: examples a second, peak memory, loss.

Both train LoRA of rank 16 (alpha 32, all linear layers) on the same weights, in the number format
that this machine multiplies fastest, on the same token lists (textune's prompts of SciCite), with
the loss on the answer alone, the same batch size, learning rate, warm-up, cosine decay and
gradient clipping, and without gradient checkpointing. With ``--quantisation nf4`` both hold the
frozen weights in 4 bits (QLoRA). Each runs in a process of its own, one after the other, in turns.
Timed is the whole call that trains (optimiser and data loader included); loading the weights and
making tokens come before it on both sides. Memory is the largest resident memory of the process,
loading included; on an accelerator the most that torch has taken of its memory.

TRL pads to the longest sequence of a batch, and holds logits of all its tokens: with the long
instruction in fp32 a batch of 16 needs more than 24 GB, so it may read one in several passes. Its
warm-up begins one step lower, which shows in the loss after few steps. In bf16 it gets a model
that is loaded in bf16, and ``bf16=True``: its adapters are then fp32, and products run in bf16 by
autocast.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from comparison import Round, keep
from fresh import gigabytes, in_fresh_process, peak_bytes, print_heading
from peers import (
    LR,
    MODEL,
    WARMUP_STEPS,
    Quantisation,
    causal_peer,
    lora_peer,
    losses_of,
    named,
    sft_trainer,
)
from scicite import Instruction, items_of, prompter_of, sentences

MAX_LENGTH = 1024
"""Most tokens of a sequence."""
PACKAGES = ("accelerate", "trl", "datasets")


@dataclass(frozen=True)
class Job:
    """What both sides train."""

    model: str
    instruction: Instruction
    num_examples: int
    batch_size: int
    max_length: int
    passes: int = 1
    """In which TRL reads a batch."""
    quantisation: Quantisation = "none"
    """Of the frozen weights: ``nf4`` makes QLoRA of LoRA."""

    @property
    def key(self) -> str:
        """What its figures are kept as; other models than the default name themselves."""
        method = "lora" if self.quantisation == "none" else "qlora"
        return f"{named(self.model)}{method}-{self.instruction}"


@dataclass(frozen=True)
class Training:
    """What one side needed."""

    seconds: float
    peak_bytes: int
    loss: float
    """Mean over the last quarter of the steps, nats an answer token."""
    tokens: int
    """Tokens of all sequences, each with its whole prompt."""


def lora_training(job: Job) -> tuple[Any, Sequence[Any], Any]:
    """Textune's trainee, its items, and the settings of one epoch."""
    import torch

    from textune.engine.causal import CausalEngine
    from textune.methods.lora import LoRA
    from textune.methods.qlora import QLoRA
    from textune.models.catalog import find_model
    from textune.models.device import precision_of
    from textune.models.load import load_causal
    from textune.training.loop import Trainee
    from textune.training.settings import TrainingSpec

    loaded = load_causal(find_model(job.model), precision_of("auto"), job.quantisation)
    torch.manual_seed(0)
    method = LoRA if job.quantisation == "none" else QLoRA
    adapted = method(rank=16, alpha=32).apply(loaded.model, [])
    trainee = Trainee(adapted, CausalEngine(loaded.model).answer_loss)
    spec = TrainingSpec(epochs=1, batch_size=job.batch_size, warmup_steps=WARMUP_STEPS)
    return trainee, _items(job, loaded.tokenizer), spec


def train_textune(job: Job) -> Training:
    """One epoch with textune's loop and engine."""
    from textune.training.loop import Watch, train

    trainee, items, spec = lora_training(job)
    losses: list[float] = []
    watch = Watch(report=lambda *step: losses.append(step[-1]))
    start = time.perf_counter()
    train(trainee, items, spec, lr=LR, seed=0, watch=watch)
    return _training(start, losses, items)


def train_trl(job: Job) -> Training:
    """One epoch with SFTTrainer."""
    model, tokenizer = causal_peer(job.model, quantisation=job.quantisation)
    items = _items(job, tokenizer)
    sizes = {
        "batch_size": job.batch_size,
        "max_length": job.max_length,
        "passes": job.passes,
    }
    with tempfile.TemporaryDirectory() as scratch:
        trainer = sft_trainer(model, tokenizer, items, lora_peer(), scratch, **sizes)
        start = time.perf_counter()
        trainer.train()
        return _training(start, losses_of(trainer), items)


def _items(job: Job, tokenizer: Any) -> Sequence[Any]:
    prompter = prompter_of(tokenizer, job.instruction, context=job.max_length)
    return items_of(prompter, sentences("train", job.num_examples))


def _training(start: float, losses: Sequence[float], items: Sequence[Any]) -> Training:
    seconds = time.perf_counter() - start
    last_quarter = losses[-max(1, len(losses) // 4) :]
    tokens = sum(len(item.prompt) + len(item.answer) for item in items)
    return Training(seconds, peak_bytes(), mean(last_quarter), tokens)


def compare(job: Job, num_rounds: int) -> None:
    """Measure in turns, print, and keep speeds and peaks."""
    sides: dict[str, Callable[[Job], Training]] = {"textune": train_textune, "TRL": train_trl}
    speeds, peaks = [], []
    for number in range(1, num_rounds + 1):
        found = {name: in_fresh_process(work, job) for name, work in sides.items()}
        for name, each in found.items():
            print(
                f"{job.instruction} instruction, round {number}, {name}: "
                f"{job.num_examples / each.seconds:.2f} examples/s ({each.seconds:.1f} s, "
                f"{each.tokens} tokens), peak {gigabytes(each.peak_bytes)}, "
                f"loss at the end {each.loss:.3f}",
                flush=True,
            )
        ours, theirs = found["textune"], found["TRL"]
        speeds.append(Round(job.num_examples / ours.seconds, job.num_examples / theirs.seconds))
        peaks.append(Round(ours.peak_bytes / 1e9, theirs.peak_bytes / 1e9))
    keep(job.key, speeds, job, packages=PACKAGES)
    keep(f"{job.key}-memory", peaks, job, packages=PACKAGES)


def main() -> None:
    """Compare for each length of the instruction."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default=MODEL, help="name or folder")
    parser.add_argument("--quantisation", choices=["none", "nf4"], default="none")
    parser.add_argument("--instructions", nargs="+", default=["short", "long"])
    parser.add_argument("--examples", type=int, default=128, help="training examples of SciCite")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--max-length", type=int, default=MAX_LENGTH, help="tokens of a sequence")
    parser.add_argument(
        "--passes", type=int, default=1, help="in which TRL reads a batch that is too large for it"
    )
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured")
    asked = parser.parse_args()
    print_heading(*PACKAGES)
    for instruction in asked.instructions:
        sizes = (asked.examples, asked.batch_size, asked.max_length, asked.passes)
        compare(Job(asked.model, instruction, *sizes, asked.quantisation), asked.rounds)


if __name__ == "__main__":
    main()
