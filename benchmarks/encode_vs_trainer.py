"""Fine-tuning of an encoder, textune against transformers' Trainer: texts a second, loss.

Both train all weights of MiniLM and a new linear layer on the same SciCite sentences, in the
number format that this machine multiplies fastest, with the same batch size, learning rate,
schedule and clipping. The Trainer pads to the longest text of a batch and groups texts of like
length, its best setting. Timed is the call that trains, in processes of their own, in turns.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean
from typing import Any

from comparison import Round, keep
from fresh import in_fresh_process, print_heading
from peers import losses_of, trainer_settings
from scicite import sentences

LR = 1e-4


@dataclass(frozen=True)
class Job:
    """What both sides train."""

    model: str
    num_examples: int
    batch_size: int


@dataclass(frozen=True)
class Training:
    """What one side needed."""

    seconds: float
    loss: float
    """Mean over the last quarter of the steps."""


def train_textune(job: Job) -> Training:
    """One epoch with textune's loop and engine."""
    from textune.approaches.encoder import Encoder
    from textune.tasks.base import load_task
    from textune.training.loop import Trainee, Watch, train
    from textune.training.settings import TrainingSpec

    approach = Encoder(model=job.model).resolved()
    predictor = approach._predictor(load_task("scicite"), seed=0)
    items = predictor.items(sentences("train", job.num_examples))
    losses: list[float] = []
    watch = Watch(report=lambda *step: losses.append(step[-1]))
    trainee: Any = Trainee(predictor.engine.model, predictor.engine.loss)
    spec = TrainingSpec(epochs=1, batch_size=job.batch_size)
    start = time.perf_counter()
    train(trainee, items, spec, lr=LR, seed=0, watch=watch)
    return Training(time.perf_counter() - start, mean(losses[-max(1, len(losses) // 4) :]))


def train_trainer(job: Job) -> Training:
    """One epoch with the Trainer."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        PrinterCallback,
        Trainer,
        TrainingArguments,
    )

    from textune.models.catalog import find_model
    from textune.models.fetch import local_folder
    from textune.tasks.base import load_task

    spec = find_model(job.model, form="encoder")
    folder, labels = local_folder(spec), list(load_task("scicite").labels)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels))
    examples = sentences("train", job.num_examples)
    rows = [
        {
            **tokenizer(e.texts[0], truncation=True, max_length=spec.context),
            "labels": labels.index(str(e.answer)),
        }
        for e in examples
    ]
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        settings = trainer_settings(
            TrainingArguments,
            scratch,
            batch_size=job.batch_size,
            lr=LR,
            warmup=0.1,
            train_sampling_strategy="group_by_length",
        )
        trainer = Trainer(
            model=model,
            args=settings,
            train_dataset=rows,  # type: ignore[arg-type]  # a list is enough
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        trainer.remove_callback(PrinterCallback)
        start = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - start
    return Training(seconds, losses_of(trainer)[-1])


def main() -> None:
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="all-minilm-l6-v2", help="name or folder")
    parser.add_argument("--examples", type=int, default=512, help="training examples of SciCite")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured")
    asked = parser.parse_args()
    job = Job(asked.model, asked.examples, asked.batch_size)
    sides: dict[str, Callable[[Job], Training]] = {
        "textune": train_textune,
        "Trainer": train_trainer,
    }
    print_heading("accelerate")
    rounds = []
    for number in range(1, asked.rounds + 1):
        speeds = {}
        for name, work in sides.items():
            found = in_fresh_process(work, job)
            speeds[name] = job.num_examples / found.seconds
            print(
                f"round {number}, {name}: {speeds[name]:.1f} texts/s ({found.seconds:.1f} s), "
                f"loss at the end {found.loss:.3f}",
                flush=True,
            )
        rounds.append(Round(speeds["textune"], speeds["Trainer"]))
    keep("encoder", rounds, job, packages=["accelerate"])


if __name__ == "__main__":
    main()
