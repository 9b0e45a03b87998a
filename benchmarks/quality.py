"""Whether speed costs quality: LoRA by a plain fp32 path, by TRL and by the engine, three seeds.

All train on the same SciCite sentences as token lists, with the loss on the answer alone, for one
pass; the learning rate is so high that one pass is enough to learn the task. A seed decides the
first weights and the order; both sides draw their own. *plain* pads batches and runs the model as
transformers loads it, in fp32; *engine* packs rows, in the number format that is asked for; *TRL*
trains as in ``train_vs_trl.py``. TRL and plain read a batch in two passes, for less memory.
Labels of dev sentences are then scored by the engine for all three, in the format of their
training; what TRL has trained is read from the folder that it saves.

Printed is macro F1 of each side with its bootstrap interval over sentences, of the mean over the
asked seeds, and what the others differ from the engine in the same number format, on the same
sentences, where the same seeds are done. A side in another format is another side. Trainings that
are kept in ``results/quality.json`` with these settings are not repeated, whatever machine they
ran on, so this can be stopped.
"""

import argparse
import contextlib
import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

from comparison import RESULTS, where, write_json
from fresh import in_fresh_process, print_heading
from peers import MODEL, WARMUP_STEPS, causal_peer, lora_peer, losses_of, sft_trainer
from scicite import items_of, prompter_of, sentences
from train_vs_trl import MAX_LENGTH, PACKAGES

from textune.models.device import AskedPrecision, Precision, precision_of

KEPT = RESULTS / "quality.json"
PASSES = 2
"""In which a padded batch is read."""
Side = Literal["plain", "TRL", "engine"]
SIDES: tuple[Side, ...] = ("engine", "plain", "TRL")


@dataclass(frozen=True)
class Settings:
    """What all trainings share."""

    num_examples: int
    num_tested: int
    epochs: int
    batch_size: int
    lr: float


@dataclass(frozen=True)
class Job:
    """One training."""

    settings: Settings
    side: Side
    precision: Precision
    seed: int


@dataclass(frozen=True)
class Trained:
    """What came of it."""

    side: Side
    precision: str
    seed: int
    said: list[str]
    """Labels of the tested sentences, in their order."""
    losses: list[float]
    """Means over each quarter of the steps, nats an answer token."""
    where: dict[str, Any] = field(default_factory=dict)
    """Machine, versions and time."""

    @property
    def title(self) -> str:
        """Side and number format."""
        return f"{self.side}, {self.precision}"


def train_here(job: Job) -> Trained:
    """By textune's loop, on packed rows or on padded batches."""
    import torch
    from peft import get_peft_model

    from textune.engine import plain
    from textune.engine.causal import CausalEngine
    from textune.methods.lora import LoRA
    from textune.models.catalog import find_model
    from textune.models.load import load_causal
    from textune.training.loop import Trainee, Watch, train
    from textune.training.settings import TrainingSpec

    if job.side == "plain":
        model, tokenizer = causal_peer(MODEL, job.precision)
        torch.manual_seed(job.seed)
        adapted: Any = get_peft_model(model, lora_peer())
        trainee: Any = Trainee(adapted, partial(plain.answer_loss, adapted), micro_batches=_passes)
    else:
        loaded = load_causal(find_model(MODEL), job.precision, "none")
        torch.manual_seed(job.seed)  # not before: converting a model for the first time draws, too
        tokenizer, adapted = loaded.tokenizer, LoRA(rank=16, alpha=32).apply(loaded.model, [])
        trainee = Trainee(adapted, CausalEngine(loaded.model).answer_loss)
    spec = TrainingSpec(
        epochs=job.settings.epochs,
        batch_size=job.settings.batch_size,
        warmup_steps=WARMUP_STEPS,
    )
    losses: list[float] = []
    watch = Watch(report=lambda *step: losses.append(step[-1]))
    items = _items(job, tokenizer)
    train(trainee, items, spec, lr=job.settings.lr, seed=job.seed, watch=watch)
    with tempfile.TemporaryDirectory() as folder:
        LoRA().save(adapted, Path(folder))
        said = _said(job, Path(folder))
    size = math.ceil(len(losses) / 4)
    quarters = [losses[i : i + size] for i in range(0, len(losses), size)]
    means = [sum(part) / len(part) for part in quarters]
    return Trained(job.side, job.precision, job.seed, said, means)


def train_trl(job: Job) -> Trained:
    """By SFTTrainer."""
    from transformers import set_seed

    model, tokenizer = causal_peer(MODEL, job.precision)
    items, settings = _items(job, tokenizer), job.settings
    set_seed(job.seed)
    with tempfile.TemporaryDirectory() as folder:
        trainer = sft_trainer(
            model,
            tokenizer,
            items,
            lora_peer(),
            folder,
            batch_size=settings.batch_size,
            max_length=MAX_LENGTH,
            passes=PASSES,
            epochs=settings.epochs,
            lr=settings.lr,
            seed=job.seed,
            bf16=job.precision == "bfloat16",
        )
        trainer.train()
        trainer.model.save_pretrained(folder)
        said = _said(job, Path(folder))
    return Trained(job.side, job.precision, job.seed, said, losses_of(trainer))


def _passes(batch: Sequence[Any]) -> list[tuple[Sequence[Any], float]]:
    """A batch in parts, alike in length, each with its share of the answers' tokens."""
    from textune.engine.packing import longest
    from textune.training.objective import num_answer_tokens

    ordered, size = longest(batch, len(batch)), math.ceil(len(batch) / PASSES)
    parts = [ordered[i : i + size] for i in range(0, len(batch), size)]
    return [(part, num_answer_tokens(part) / num_answer_tokens(batch)) for part in parts]


def _items(job: Job, tokenizer: Any) -> Sequence[Any]:
    prompter = prompter_of(tokenizer, "short", context=MAX_LENGTH)
    return items_of(prompter, sentences("train", job.settings.num_examples))


def _said(job: Job, folder: Path) -> list[str]:
    """What a trained adapter makes of the tested sentences."""
    from textune.engine.causal import CausalEngine
    from textune.engine.readout import make_readout
    from textune.methods.lora import LoRA
    from textune.models.catalog import find_model
    from textune.models.load import load_causal

    loaded = load_causal(find_model(MODEL), job.precision, "none")
    LoRA().load(loaded.model, folder).eval()
    prompter = prompter_of(loaded.tokenizer, "short", context=MAX_LENGTH)
    readout = make_readout(CausalEngine(loaded.model), prompter)
    answers = readout.predict(sentences("test", job.settings.num_tested)).answers
    return [str(answer) for answer in answers]


def _kept(settings: Settings) -> list[Trained]:
    """Trainings that are done."""
    with contextlib.suppress(OSError):
        content = json.loads(KEPT.read_text(encoding="utf-8"))
        if content["settings"] == asdict(settings):
            return [Trained(**each) for each in content["trained"]]
    return []


def _print(trained: Sequence[Trained], settings: Settings) -> None:
    from textune.evaluation.metrics.base import metrics_of
    from textune.evaluation.over_seeds import Resampled, resample
    from textune.tasks.base import load_task

    task = load_task("scicite")
    gold = [str(each.answer) for each in sentences("test", settings.num_tested)]
    ordered = sorted(trained, key=lambda each: (SIDES.index(each.side), each.precision, each.seed))
    sides: dict[tuple[str, str], list[Trained]] = {}
    for each in ordered:
        sides.setdefault((each.side, each.precision), []).append(each)
    answers = [[each.said for each in runs] for runs in sides.values()]
    found = resample(task.primary_metric, metrics_of(task), gold, answers)
    intervals = dict(zip(sides, found, strict=True))
    for (side, precision), runs in sides.items():
        here, ours = intervals[side, precision], ("engine", precision)
        line = f"{runs[0].title}: {len(runs)} seeds, macro F1 {_percent(here.interval())}"
        if side != "engine" and [t.seed for t in sides.get(ours, [])] == [t.seed for t in runs]:
            other = intervals[ours]
            less = Resampled(other.observed - here.observed, other.values_R - here.values_R)
            line += f"; engine less this {_percent(less.interval())}"
        print(line)


def _percent(interval: Any) -> str:
    return f"{100 * interval.mean:.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def main() -> None:
    """Train what is not kept, print what all of it says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=1000, help="training examples of SciCite")
    parser.add_argument("--tested", type=int, default=500, help="dev sentences")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument(
        "--precision",
        choices=get_args(AskedPrecision),
        default="auto",
        help="of engine and TRL; auto is what this machine multiplies fastest",
    )
    asked = parser.parse_args()
    print_heading(*PACKAGES)
    settings = Settings(asked.examples, asked.tested, asked.epochs, asked.batch_size, asked.lr)
    for seed, side in product(asked.seeds, asked.sides):
        precision = precision_of("float32" if side == "plain" else asked.precision)
        wanted = side, precision, seed
        if any((each.side, each.precision, each.seed) == wanted for each in _kept(settings)):
            continue
        work = train_trl if side == "TRL" else train_here
        new = replace(
            in_fresh_process(work, Job(settings, side, precision, seed)), where=where(PACKAGES)
        )
        print(f"{new.title}, seed {seed}: losses {', '.join(f'{x:.3f}' for x in new.losses)}")
        trained = [*_kept(settings), new]  # another process may have ended one meanwhile
        content = {"settings": asdict(settings), "trained": [asdict(t) for t in trained]}
        write_json(KEPT, content)
    _print([each for each in _kept(settings) if each.seed in asked.seeds], settings)


if __name__ == "__main__":
    main()
