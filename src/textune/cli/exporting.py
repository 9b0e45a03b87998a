"""``textune export``."""

from dataclasses import asdict
from pathlib import Path

from textune.bundles.bundle import describe_bundle
from textune.bundles.export import Fidelity, compare_export, export_model
from textune.cli.output import print_json, print_lines, tell
from textune.data.sources import read_examples
from textune.tasks.dataset import layout_of


def run(bundle: Path, out: Path, score: Path | None, *, as_json: bool) -> None:
    """Write the model; with a labelled file also say whether it answers as the bundle does."""
    task, _ = describe_bundle(bundle)
    examples = read_examples(score, layout_of(task)).rows if score else None
    tell(f"folding {bundle} into its base model")
    export_model(bundle, out)
    found = compare_export(bundle, out, examples) if examples else None
    if as_json:
        print_json({"model": str(out), "fidelity": asdict(found) if found else None})
        return
    lines = [f"model: {out}"]
    if found:
        lines.append(_said(found, task.kind.primary_metric))
    print_lines([*lines, f"what to ask it, and the words for the labels: {out / 'prompt.json'}"])


def _said(found: Fidelity, metric: str) -> str:
    shown = ["none" if v is None else f"{100 * v:.1f}" for v in (found.before, found.after)]
    return (
        f"same answer on {100 * found.same:.1f} % of {found.examples:,} examples; "
        f"{metric} {shown[0]} before, {shown[1]} after"
    )
