"""``textune export``."""

from dataclasses import asdict
from pathlib import Path

from textune.bundles.bundle import describe_bundle
from textune.bundles.export import Fidelity, compare_export, export_lora, export_model
from textune.cli.output import print_json, print_lines, tell
from textune.data.sources import read_examples
from textune.tasks.dataset import layout_of


def run(
    bundle: Path, out: Path, labelled: Path | None, rank: int | None, *, as_json: bool
) -> None:
    """Write the model or adapter; with a labelled file also say whether it answers alike."""
    task, _ = describe_bundle(bundle)
    examples = read_examples(labelled, layout_of(task)).rows if labelled else None
    kept = None
    if rank is None:
        tell(f"folding {bundle} into its base model")
        export_model(bundle, out)
        lines = [f"model: {out}"]
    else:
        tell(f"making a LoRA adapter of rank {rank} from {bundle}")
        kept = export_lora(bundle, out, rank)
        lines = [f"bundle: {out}, for other programs: {out / 'adapter'}"]
        lines.append(f"it holds {100 * kept:.1f} % of the squared change of the weights")
    found = compare_export(bundle, out, examples) if examples else None
    if as_json:
        what = {"path": str(out), "kept": kept, "fidelity": asdict(found) if found else None}
        print_json(what)
        return
    if found:
        lines.append(_said(found, task.primary_metric))
    prompt = (out if rank is None else out / "adapter") / "prompt.json"
    print_lines([*lines, f"what to ask it, and the words for the labels: {prompt}"])


def _said(found: Fidelity, metric: str) -> str:
    shown = ["none" if v is None else f"{100 * v:.1f}" for v in (found.before, found.after)]
    return (
        f"same answer on {100 * found.same:.1f} % of {found.examples:,} examples; "
        f"{metric} {shown[0]} before, {shown[1]} after"
    )
