"""``textune study``."""

from pathlib import Path

from textune.cli.output import print_json, print_lines, tell
from textune.cli.progress import StudyProgress
from textune.study.plan import make_plan
from textune.study.run import Options, run_study
from textune.study.spec import load_study


def run(path: Path, root: Path | None, options: Options, *, as_json: bool) -> int:
    """Run a study; 0 when every cell is done, 1 when some failed."""
    plan = make_plan(load_study(path))
    folder = root or Path("runs") / plan.study.name
    with StudyProgress(plan.study.task.primary_metric) as progress:
        outcome = run_study(plan, folder, progress, options)
    if as_json:
        print_json(
            {
                "run": str(folder),
                "done": outcome.done,
                "failed": outcome.failed,
                "done_before": outcome.already,
            }
        )
    else:
        failed = f", {outcome.failed} failed" if outcome.failed else ""
        print_lines([f"{outcome.done} cells done{failed}; results in {folder}"])
        tell(f"next: textune report {folder}")
    return 1 if outcome.failed else 0
