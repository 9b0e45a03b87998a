"""``textune fit``."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from textune.approaches.base import Approach, Context
from textune.bundles.bundle import save_bundle
from textune.cli.output import print_json, print_lines, tell
from textune.cli.progress import FitProgress
from textune.core import files
from textune.core.config import parse_yaml
from textune.core.errors import ConfigError, did_you_mean
from textune.results.run import RunSpec, load_run
from textune.study.spec import build_approach
from textune.tasks.base import TaskSpec, load_task
from textune.tasks.dataset import load_dataset


@dataclass(frozen=True)
class _Job:
    task: TaskSpec
    label: str
    approach: Approach
    folder: Path


def run(source: str, wanted: str | None, out: Path | None, *, seed: int, as_json: bool) -> None:
    """Fit on everything that has a gold answer, save the bundle, say how to use it."""
    root = Path(source)
    job = _from_run(root, wanted, out) if root.is_dir() else _from_task(source, wanted, out)
    job.approach.check(job.task)
    files.check_writable(job.folder.parent)
    dataset = load_dataset(job.task)
    examples = dataset.train.rows + (dataset.test.rows if dataset.test else ())
    tell(f"fitting {job.label} on {len(examples):,} examples of {job.task.name}")
    progress = FitProgress()
    context = Context(report=progress)
    predictor = job.approach.fit(job.task, examples, (), seed=seed, context=context)
    progress.finish()
    save_bundle(job.folder, job.task, job.approach, predictor)
    predictor.close()
    if as_json:
        print_json({"bundle": str(job.folder), "approach": job.label, "examples": len(examples)})
        return
    print_lines([f"bundle: {job.folder}"])
    columns = [column for column in job.task.text_columns if isinstance(column, str)]
    can_be_named = len(columns) == job.task.kind.num_texts and columns != ["text"]
    names = f" --columns {','.join(columns)}" if can_be_named else ""
    print_lines(["use it:", f"  textune predict {job.folder} FILE.csv{names}"])
    shown = " ".join(f"--text {shlex.quote(t)}" for t in examples[0].texts)
    print_lines([f"  textune predict {job.folder} {shown}"])


def _from_run(root: Path, wanted: str | None, out: Path | None) -> _Job:
    run_spec = load_run(root)
    label = wanted or _recommended(root, run_spec)
    if label not in run_spec.approaches:
        hint = did_you_mean(label, run_spec.approaches)
        raise ConfigError(f"{root} has no approach {label!r}", hint=hint)
    _, approach = build_approach(run_spec.approaches[label].spec, where=f"{root}: {label}")
    return _Job(run_spec.task, label, approach, out or root / "winner")


def _recommended(root: Path, run_spec: RunSpec) -> str:
    from textune.report.compare import compare
    from textune.report.recommend import NO_LIMITS, recommend

    comparison = compare(root)
    choice = recommend(comparison, NO_LIMITS).choice
    if choice is None:
        raise ConfigError(
            f"{root} recommends nothing", hint=f"name one: {', '.join(run_spec.approaches)}"
        )
    by_label = {c.label: c.approach for c in comparison.loaded.contenders}
    return by_label[choice]


def _from_task(source: str, wanted: str | None, out: Path | None) -> _Job:
    if wanted is None:
        raise ConfigError(
            f"{source} is no run folder, so an approach must be named",
            hint="for example --approach tfidf, or --approach 'tuned: {method: lora}'",
        )
    task = load_task(source, beside=Path())
    label, approach = build_approach(parse_yaml(wanted, where="--approach"), where="--approach")
    return _Job(task, label, approach, out or Path(f"{task.name}-bundle"))
