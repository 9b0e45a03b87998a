"""``textune study``."""

from pathlib import Path

from textune.cli.output import print_json, print_lines, tell
from textune.cli.progress import StudyProgress
from textune.study.parts import chosen, make_plans, run_plans
from textune.study.run import Options, Outcome
from textune.study.spec import load_studies


def run(
    path: Path, part: str | None, root: Path | None, options: Options, *, as_json: bool
) -> int:
    """Run a study, all its parts or one; 0 when every cell is done, 1 when some failed."""
    plans = make_plans(chosen(load_studies(path), part))
    folder = root or Path("runs") / plans[0].study.name
    with StudyProgress(sum(len(plan.cells) for plan in plans)) as progress:
        outcomes = run_plans(plans, folder, progress, options)
    done, failed, already = (
        sum(getattr(outcome, count) for outcome in outcomes)
        for count in ("done", "failed", "already")
    )
    if as_json:
        whole = {"run": str(folder), "done": done, "failed": failed, "done_before": already}
        parts = {plan.study.part: _content(o) for plan, o in zip(plans, outcomes, strict=True)}
        print_json(whole if "" in parts else {**whole, "parts": parts})
    else:
        failures = f", {failed} failed" if failed else ""
        print_lines([f"{done} cells done{failures}; results in {folder}"])
        tell(f"next: textune report {folder}")
    return 1 if failed else 0


def _content(outcome: Outcome) -> dict[str, object]:
    return {
        "run": str(outcome.root),
        "done": outcome.done,
        "failed": outcome.failed,
        "done_before": outcome.already,
    }
