"""The most confident errors, to read."""

from typing import ClassVar

from textune.data.examples import Example
from textune.report.blocks import Block, Column, Details, Row, Table, Text, Unit
from textune.report.compare import Entry
from textune.report.contenders import Said
from textune.report.sections.base import Context, Section
from textune.tasks.kinds.base import Kind

MAX_ENTRIES = 12
MAX_ERRORS = 8
MAX_LETTERS = 400
"""A longer text is cut."""


class Errors(Section):
    """Errors of each approach, the most confident first."""

    title: ClassVar[str] = "Errors"
    order: ClassVar[int] = 80

    def blocks(self, context: Context) -> list[Block]:
        """A folded table for each of the best contenders."""
        entries = context.comparison.entries[:MAX_ENTRIES]
        folded = [
            Details(f"{entry.label}: {num_wrong:,} of {num_tested:,} wrong", (table,))
            for number, entry in enumerate(entries, 1)
            for table, num_wrong, num_tested in [_table(context, entry, number)]
        ]
        if not folded:
            return []
        return [
            Text(
                f"The {MAX_ERRORS} {_which(context)} (first seed). Many are worth a second look "
                "at the gold answer."
            ),
            *folded,
        ]


def _table(context: Context, entry: Entry, number: int) -> tuple[Table, int, int]:
    """The table of an entry, its number of errors and of tested examples."""
    tested, kind = context.comparison.loaded.tested, context.comparison.loaded.run.task.kind
    wrong = [
        (example, said)
        for example, said in zip(tested, entry.contender.said[0], strict=True)
        if not kind.is_right(said.answer, str(example.answer))
    ]
    wrong.sort(key=lambda pair: -_badness(*pair, kind=kind))
    rows = tuple(_row(example, said, kind) for example, said in wrong[:MAX_ERRORS])
    num_texts = kind.num_texts
    answers: Unit = "text" if kind.has_entities else "label"
    titles = ["Text"] if num_texts == 1 else [f"Text {at}" for at in range(1, num_texts + 1)]
    columns = (
        *(Column(title, "text") for title in titles),
        Column("Gold", answers),
        Column("Answer", answers),
        Column("Score", "score", help="What the approach gave its answer, in percent"),
        Column("Id"),
    )
    caption = f"Errors of {entry.label}."
    table = Table(f"errors_{number:02d}", caption, columns, rows).without_empty_columns()
    return table, len(wrong), len(tested)


def _which(context: Context) -> str:
    if context.comparison.loaded.run.task.kind.is_graded:
        return "answers of each approach that are farthest off"
    return "errors that each approach was surest of, or the first ones where it gives no scores"


def _badness(example: Example, said: Said, *, kind: Kind) -> float:
    """How far off a number is, how sure an approach was of anything else."""
    if kind.is_graded and said.answer is not None:
        return abs(float(said.answer) - float(str(example.answer)))
    return said.confidence or 0.0


def _row(example: Example, said: Said, kind: Kind) -> Row:
    texts = (t if len(t) <= MAX_LETTERS else f"{t[:MAX_LETTERS]} ..." for t in example.texts)
    answer = "unreadable" if said.answer is None else kind.shown(said.answer)
    gold = kind.shown(str(example.answer))
    return Row((*texts, gold, answer, said.confidence, example.id))
