"""The answer, why, and what kind of study it rests on."""

from collections.abc import Sequence
from typing import ClassVar

from textune.report.blocks import Block, Column, Details, Points, Row, Table, Text
from textune.report.compare import Entry
from textune.report.sections.base import Context, Section
from textune.results.record import TEST_CUT
from textune.results.run import MAY_HAVE_SEEN, RunSpec, doubts


class Summary(Section):
    """The recommendation in plain sentences, the study in a paragraph, and its limits."""

    title: ClassVar[str] = "Summary"
    order: ClassVar[int] = 10

    def blocks(self, context: Context) -> list[Block]:
        """Answer, reasons, study, what the numbers do not show."""
        recommendation = context.recommendation
        blocks: list[Block] = [
            Text(recommendation.headline, "lead"),
            Points(recommendation.reasons),
        ]
        if recommendation.rejected:
            rows = tuple(Row(pair) for pair in recommendation.rejected.items())
            columns = (Column("Approach"), Column("Why it was not considered", "text"))
            rejected = Table("rejected", "Approaches that were not considered.", columns, rows)
            blocks.append(Details(f"Not considered: {len(rows)}", (rejected,)))
        blocks.append(Text(_study(context)))
        if limitations := _limitations(context):
            blocks += [Text("What the numbers do not show:"), Points(limitations)]
        blocks.append(Details("Versions, data and hardware", (_facts(context),)))
        return blocks


def _study(context: Context) -> str:
    run, comparison = context.comparison.loaded.run, context.comparison
    task = run.task
    name = f"{task.name} ({task.title.rstrip('.')})" if task.title else task.name
    asked = task.kind.asked(len(task.labels))
    hardware = f" on {run.hardware}" if run.hardware else ""
    return (
        f"The study compares {len(run.approaches)} approaches on the task {name}: {asked}. "
        f"{_protocol(run)} "
        f"The main score is {context.metric}, on {len(comparison.loaded.tested):,} tested "
        f"examples; {len(comparison.entries)} contenders are complete and compared. "
        f"It ran with textune {run.textune}{hardware}."
    )


def _protocol(run: RunSpec) -> str:
    protocol = run.protocol
    num_seeds = len(protocol.seeds)
    seeds = "one seed" if num_seeds == 1 else f"{num_seeds} seeds"
    if protocol.split == "fixed":
        return f"Training and test part are fixed by the task, with {seeds}."
    what = "share a text or a group" if protocol.grouped == "texts" else "are of one group"
    kept = f", examples that {what} kept together" if protocol.grouped else ""
    return f"Every example is tested once in {protocol.folds} folds{kept}, with {seeds}."


def _limitations(context: Context) -> tuple[str, ...]:
    """What a reader must not conclude."""
    run, comparison = context.comparison.loaded.run, context.comparison
    sentences = []
    share = run.task.kind.share_right
    if comparison.detectable is not None:
        sentences.append(
            f"With this number of tested examples, true differences in {share} below about "
            f"{comparison.detectable * 100:.1f} points would mostly go unnoticed: tied does not "
            "mean equal."
        )
    if cut := _cut(comparison.entries):
        sentences.append(
            f"Some tested texts are longer than what a model can read and were cut, or read in "
            f"parts: {cut}."
        )
    if doubted := doubts({e.label: e.contender.info for e in comparison.entries}):
        sentences.append(
            f"Some {MAY_HAVE_SEEN}, so their scores may be too high: {'; '.join(doubted)}."
        )
    if run.task.sample == "written by us":
        sentences.append(
            "The data are a small sample written by textune's authors to show how it works. "
            "They say nothing about real texts: repeat the study on your own."
        )
    if len(run.protocol.seeds) == 1:
        sentences.append("With a single seed, the luck of one training run is not visible.")
    if run.protocol.split == "fixed":
        sentences.append("With one fixed training part, the luck of that part is not visible.")
    sentences += [f"Known about these data: {trap}" for trap in run.task.traps]
    if comparison.incomplete:
        names = ", ".join(incomplete.label for incomplete in comparison.incomplete)
        sentences.append(f"Left out because not complete: {names}.")
    return tuple(sentences)


def _cut(entries: Sequence[Entry]) -> str:
    """How many, for each approach that could not read all."""
    most = {
        e.label: max(int(r.notes.get(TEST_CUT) or 0) for r in e.contender.records) for e in entries
    }
    return ", ".join(f"{number:,} by {label}" for label, number in most.items() if number)


def _facts(context: Context) -> Table:
    run = context.comparison.loaded.run
    facts = {
        "Study": run.name,
        "Data": run.task.source,
        "Licence of the data": run.task.licence,
        "Citation": run.task.citation,
        "Examples": ", ".join(f"{part} {number:,}" for part, number in run.num_examples.items()),
        "Hash of the data": ", ".join(f"{part} {value}" for part, value in run.data_hash.items()),
        "Seeds": ", ".join(map(str, run.protocol.seeds)),
        "Training sizes": ", ".join(map(str, run.protocol.sizes)),
        "Hardware": run.hardware,
        "textune": run.textune,
        **run.versions,
    }
    rows = tuple(Row((key, value)) for key, value in facts.items() if value)
    return Table(
        "facts", "What the study ran on.", (Column("Fact"), Column("Value", "text")), rows
    )
