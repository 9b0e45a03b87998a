"""The parts of a study: all are planned and checked before the first one runs."""

from collections.abc import Sequence
from pathlib import Path

from textune.core.errors import ConfigError, StoreError, TextuneError, did_you_mean
from textune.results.parts import PartsSpec, has_parts, save_parts
from textune.study.plan import Plan, make_plan
from textune.study.run import Options, Outcome, Watcher, check_possible, run_study
from textune.study.spec import StudySpec
from textune.tasks.base import TaskSpec
from textune.tasks.dataset import Dataset, load_dataset


def chosen(studies: Sequence[StudySpec], part: str | None) -> tuple[StudySpec, ...]:
    """The part of that name alone; all without a name.

    Raises:
        ConfigError: there is no such part.
    """
    found = tuple(study for study in studies if part in (None, study.part))
    if not found:
        name = studies[0].name
        raise ConfigError(
            f"study {name} has no part {part!r}", hint=did_you_mean(str(part), studies[0].parts)
        )
    return found


def make_plans(studies: Sequence[StudySpec]) -> list[Plan]:
    """Plan every part; parts on the same task read its data once.

    Raises:
        TextuneError: the data or the protocol of one make no cells at all; names the part.
    """
    read: list[tuple[TaskSpec, Dataset]] = []
    plans = []
    for study in studies:
        try:
            dataset = next((known for task, known in read if task == study.task), None)
            if dataset is None:
                dataset = load_dataset(study.task)
                read.append((study.task, dataset))
            plans.append(make_plan(study, dataset))
        except TextuneError as error:
            raise _named(error, study) from None
    return plans


def run_plans(
    plans: Sequence[Plan], root: Path, watcher: Watcher, options: Options
) -> list[Outcome]:
    """Do what is not done yet, part after part, each in a folder of its own below ``root``.

    Raises:
        TextuneError: an approach of any part is impossible, or as ``run_study``.
    """
    for plan in plans:
        try:
            check_possible(plan)
        except TextuneError as error:
            raise _named(error, plan.study) from None
    study = plans[0].study
    _check_folder(root, study)
    if study.parts:
        save_parts(root, PartsSpec(name=study.name, parts=study.parts))
    return [run_study(plan, root / plan.study.part, watcher, options) for plan in plans]


def _named(error: TextuneError, study: StudySpec) -> TextuneError:
    return error.within(f"part {study.part}") if study.part else error


def _check_folder(root: Path, study: StudySpec) -> None:
    """A folder holds a run or parts, never both."""
    is_run = (root / "study.yaml").is_file()
    if has_parts(root) and not study.parts:
        there, asked = "parts", "a study without parts"
    elif is_run and study.parts:
        there, asked = "a run without parts", "a study with parts"
    else:
        return
    hint = "name another folder with --run, or the study in its file otherwise"
    raise StoreError(f"{root} holds {there}, this is {asked}", hint=hint)
