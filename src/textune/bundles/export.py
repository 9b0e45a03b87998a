"""A tuned bundle as a plain model folder, which any program that reads such folders can run."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textune.approaches.base import Context
from textune.approaches.prompted import Prompted
from textune.bundles.bundle import describe_bundle, load_bundle
from textune.core import files
from textune.core.errors import StoreError
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.evaluation.metrics import score

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
    if out.exists():
        raise StoreError(f"{out} is there already", hint="remove it, or give another folder")
    _, approach = describe_bundle(folder)
    files.check_writable(out.parent)
    model = approach.merged(folder, context=Context())
    with files.replacing(out) as temporary:
        model.save_pretrained(temporary)
        for pattern in BESIDE:
            for path in (folder / "adapter").glob(pattern):
                shutil.copy(path, temporary)


def compare_export(folder: Path, out: Path, examples: Sequence[Example]) -> Fidelity:
    """Label examples that have gold answers with a bundle and with the model made from it."""
    bundle = load_bundle(folder, context=Context())
    before = bundle.predictor.predict(examples)
    bundle.predictor.close()
    exported = Prompted(model=str(out)).fit(bundle.task, [], [], seed=0, context=Context())
    after = exported.predict(examples)
    gold = [str(example.answer) for example in examples]

    def main_score(said: Predictions) -> float | None:
        scores = score(said, gold, list(bundle.task.labels), positive=bundle.task.positive)
        return scores[bundle.task.kind.primary_metric]

    same = sum(a == b for a, b in zip(before.answers, after.answers, strict=True))
    return Fidelity(len(examples), same / len(examples), main_score(before), main_score(after))
