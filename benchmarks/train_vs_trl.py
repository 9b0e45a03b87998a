"""LoRA training, textune against TRL's SFTTrainer: examples a second, peak memory, loss.

Both train LoRA of rank 16 (alpha 32, all linear layers) on the same weights in bf16, on the same
token lists (textune's prompts), with the loss on the answer alone, the same batch size, learning
rate, warm-up, cosine decay and gradient clipping, and without gradient checkpointing. Each runs in
a process of its own, one after the other, in turns. Timed is the whole call that trains (optimiser
and data loader included); loading the weights and making tokens come before it on both sides.
Memory is the largest resident memory of the process, loading included.

TRL gets a model that is loaded in bf16, and ``bf16=True``: its adapters are then fp32, and
products run in bf16 by autocast. Padding goes to the longest sequence of a batch.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from fresh import gigabytes, in_fresh_process, peak_bytes, print_heading, print_ratios

LR = 5e-4
WARMUP_STEPS = 2


@dataclass(frozen=True)
class Job:
    """What both sides train."""

    model: str
    num_examples: int
    batch_size: int
    max_length: int


@dataclass(frozen=True)
class Training:
    """What one side needed."""

    seconds: float
    peak_bytes: int
    loss: float
    """Mean over the last quarter of the steps, nats an answer token."""
    tokens: int
    """Tokens of all sequences, each with its whole prompt."""


def train_textune(job: Job) -> Training:
    """One epoch with textune's loop and engine."""
    import torch

    from textune.engine.causal import CausalEngine
    from textune.methods.lora import LoRA
    from textune.models.catalog import find_model
    from textune.models.load import load_causal
    from textune.training.loop import Trainee, Watch, train
    from textune.training.settings import TrainingSpec

    loaded = load_causal(find_model(job.model), "bfloat16", "none")
    items = _items(job, loaded.tokenizer)
    torch.manual_seed(0)
    adapted = LoRA(rank=16, alpha=32).apply(loaded.model, [])
    trainee = Trainee(adapted, CausalEngine(loaded.model).answer_loss)
    spec = TrainingSpec(epochs=1, batch_size=job.batch_size, warmup_steps=WARMUP_STEPS)
    losses: list[float] = []
    watch = Watch(report=lambda *step: losses.append(step[-1]))
    start = time.perf_counter()
    train(trainee, items, spec, lr=LR, seed=0, watch=watch)
    return _training(start, losses, items)


def train_trl(job: Job) -> Training:
    """One epoch with SFTTrainer."""
    import datasets
    import torch
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
    from trl.trainer.sft_trainer import SFTTrainer

    from textune.models.catalog import find_model
    from textune.models.fetch import local_folder

    datasets.disable_progress_bars()
    folder = local_folder(find_model(job.model))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    items = _items(job, tokenizer)
    rows = [
        {
            "input_ids": [*item.prompt, *item.answer],
            "completion_mask": [0] * len(item.prompt) + [1] * len(item.answer),
        }
        for item in items
    ]
    adapter = LoraConfig(
        task_type="CAUSAL_LM", r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear"
    )
    with tempfile.TemporaryDirectory() as scratch:
        trainer = SFTTrainer(
            model=model,
            args=_trl_settings(job, scratch),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=adapter,
        )
        trainer.remove_callback(PrinterCallback)
        start = time.perf_counter()
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        return _training(start, losses, items)


def _trl_settings(job: Job, folder: str) -> Any:
    from trl.trainer.sft_config import SFTConfig

    return SFTConfig(
        output_dir=folder,
        num_train_epochs=1,
        per_device_train_batch_size=job.batch_size,
        max_length=job.max_length,
        completion_only_loss=True,
        packing=False,
        gradient_checkpointing=False,
        bf16=True,
        use_cpu=True,
        learning_rate=LR,
        lr_scheduler_type="cosine",
        warmup_steps=WARMUP_STEPS,
        weight_decay=0.0,
        max_grad_norm=1.0,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        logging_steps=0.25,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=0,
    )


def _items(job: Job, tokenizer: Any) -> Sequence[Any]:
    """Token lists of training examples drawn with a fixed seed; prompts and answers apart."""
    from textune.core.seeds import generator
    from textune.engine.packing import Item
    from textune.prompts.tokens import make_prompter
    from textune.tasks.base import load_task
    from textune.tasks.dataset import load_dataset

    task = load_task("scicite")
    train = load_dataset(task).train
    chosen = generator(0, "benchmark").permutation(len(train))[: job.num_examples]
    examples = train.take(chosen.tolist()).rows
    prompter = make_prompter(task, [], tokenizer, context=job.max_length)
    return [
        Item(prompt, (*prompter.answer(str(example.answer)), prompter.end))
        for example, prompt in zip(examples, prompter.prompts(examples), strict=True)
    ]


def _training(start: float, losses: Sequence[float], items: Sequence[Any]) -> Training:
    seconds = time.perf_counter() - start
    last_quarter = losses[-max(1, len(losses) // 4) :]
    tokens = sum(len(item.prompt) + len(item.answer) for item in items)
    return Training(seconds, peak_bytes(), mean(last_quarter), tokens)


def main() -> None:
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct", help="name or folder")
    parser.add_argument("--examples", type=int, default=256, help="training examples of SciCite")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--max-length", type=int, default=1024, help="tokens of a sequence")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured")
    asked = parser.parse_args()
    job = Job(asked.model, asked.examples, asked.batch_size, asked.max_length)
    sides: dict[str, Callable[[Job], Training]] = {"textune": train_textune, "TRL": train_trl}
    print_heading("accelerate", "trl", "datasets")
    ratios = []
    for round_number in range(1, asked.rounds + 1):
        speeds = {}
        for name, work in sides.items():
            found = in_fresh_process(work, job)
            speeds[name] = job.num_examples / found.seconds
            print(
                f"round {round_number}, {name}: {speeds[name]:.2f} examples/s "
                f"({found.seconds:.1f} s, {found.tokens} tokens), "
                f"peak {gigabytes(found.peak_bytes)}, loss at the end {found.loss:.3f}",
                flush=True,
            )
        ratios.append(speeds["textune"] / speeds["TRL"])
    print_ratios("examples/s, textune / TRL", ratios)


if __name__ == "__main__":
    main()
