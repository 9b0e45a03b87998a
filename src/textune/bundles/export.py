"""A tuned bundle for other programs: as a plain model folder, or with a LoRA adapter."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textune.approaches.base import Approach, Context
from textune.approaches.prompted import Prompted
from textune.bundles.bundle import describe_bundle, is_bundle, load_bundle, write_description
from textune.core import files
from textune.core.errors import StoreError
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.evaluation.metrics.base import metrics_of
from textune.tasks.base import TaskSpec

BESIDE = ("tokenizer*", "special_tokens_map.json", "chat_template*", "prompt.json")
"""Files of an adapter folder that a program needs to ask the model."""


@dataclass(frozen=True)
class Fidelity:
    """The exported model against the bundle that it came from, on the same examples."""

    examples: int
    same: float
    """Share of examples with the same answer."""
    before: float | None
    """The task's main score of the bundle."""
    after: float | None
    """That of the exported model."""


def export_model(folder: Path, out: Path) -> None:
    """Fold the adapter of a bundle into its base and write the model by rename.

    Beside the weights stand the tokenizer and ``prompt.json``: what stands before and after an
    input, and the word of each label.

    Raises:
        ImpossibleError: the bundle holds no model, or its method cannot be folded in.
        StoreError: the bundle is damaged, or ``out`` exists or cannot be written.
    """
    _, approach = _described(folder, out)
    model = approach.merged(folder, context=Context())
    with files.replacing(out) as temporary:
        model.save_pretrained(temporary)
        _copy_beside(folder, temporary)


def export_lora(folder: Path, out: Path, rank: int) -> float:
    """A bundle whose adapter is a LoRA of that rank, whatever method made the first one.

    Gives the share of the squared change of the weights that the new adapter holds.

    Raises:
        ImpossibleError: the bundle holds no model, or its change is not one of linear layers.
        StoreError: the bundle is damaged, or ``out`` exists or cannot be written.
    """
    task, approach = _described(folder, out)
    with files.replacing(out) as temporary:
        adapter = temporary / "adapter"
        as_lora, kept = approach.as_lora(folder, adapter, rank, context=Context())
        _copy_beside(folder, adapter)
        write_description(temporary, task, as_lora, {"share_of_change_kept": kept})
    return kept


def compare_export(folder: Path, out: Path, examples: Sequence[Example]) -> Fidelity:
    """Label examples that have gold answers with a bundle and with what was made from it."""
    bundle = load_bundle(folder, context=Context())
    before = bundle.predictor.predict(examples)
    bundle.predictor.close()
    if is_bundle(out):
        exported = load_bundle(out, context=Context()).predictor
    else:
        exported = Prompted(model=str(out)).fit(bundle.task, [], [], seed=0, context=Context())
    after = exported.predict(examples)
    gold = [str(example.answer) for example in examples]

    def main_score(said: Predictions) -> float | None:
        return metrics_of(bundle.task).score(said, gold)[bundle.task.primary_metric]

    same = sum(a == b for a, b in zip(before.answers, after.answers, strict=True))
    return Fidelity(len(examples), same / len(examples), main_score(before), main_score(after))


def _described(folder: Path, out: Path) -> tuple[TaskSpec, Approach]:
    if out.exists():
        raise StoreError(f"{out} is there already", hint="remove it, or give another folder")
    described = describe_bundle(folder)
    files.check_writable(out.parent)
    return described


def _copy_beside(folder: Path, target: Path) -> None:
    for pattern in BESIDE:
        for path in (folder / "adapter").glob(pattern):
            shutil.copy(path, target)
