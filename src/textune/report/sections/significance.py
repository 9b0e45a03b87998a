"""The best against every other one."""

from typing import ClassVar

from textune.report.blocks import Block, Column, Table, Text
from textune.report.compare import ALPHA
from textune.report.sections.base import Context, Section


class Significance(Section):
    """Pairwise tests with the best, raw and Holm-adjusted."""

    title: ClassVar[str] = "Significance"
    order: ClassVar[int] = 30

    def blocks(self, context: Context) -> list[Block]:
        """The tied set, which test decides and why, all tests."""
        comparison = context.comparison
        if not comparison.pairs or comparison.best is None:
            return []
        is_folded = any(pair.p_folds is not None for pair in comparison.pairs)
        columns = [
            Column("Approach"),
            Column("Difference", "points", context.decimals, "Best minus this one, in points"),
            Column("P bootstrap", "probability", help="Paired bootstrap, unadjusted"),
            Column("P adjusted", "probability", help="The same after Holm's correction; decides"),
            Column("P McNemar", "probability", help="On right and wrong answers, first seed"),
        ]
        columns += [Column("P folds", "probability", help="Corrected t-test")] if is_folded else []
        rows = [
            context.row(
                comparison.entry(pair.other),
                pair.other,
                pair.difference,
                pair.p_bootstrap,
                pair.p_adjusted,
                pair.p_mcnemar,
                *([pair.p_folds] if is_folded else []),
            )
            for pair in comparison.pairs
        ]
        caption = f"{comparison.best.label} against every other one; marked rows are tied with it."
        return [
            Text(_tied(context)),
            Text(_rule(is_folded, comparison.best.resampled.values_R.size), "note"),
            Table("significance", caption, tuple(columns), tuple(rows)),
        ]


def _tied(context: Context) -> str:
    best, *others = context.comparison.tied
    if not others:
        return f"{best} is significantly better than every other approach."
    verb = "is" if len(others) == 1 else "are"
    return f"{', '.join(others)} {verb} statistically tied with the best, {best}."


def _rule(is_folded: bool, resamples: int) -> str:
    rule = (
        f"Tied means: the paired bootstrap of the main score over tested examples ({resamples:,} "
        "resamples of the pooled predictions, averaged over seeds) has P of at least "
        f"{ALPHA:g} after Holm's correction over all comparisons with the best; this test takes "
        "the fitted models as given"
    )
    if not is_folded:
        return f"{rule}, so it does not see what another training run would change."
    return (
        f"{rule}, whereas the corrected resampled t-test (P folds) also sees the training parts "
        "vary but has little power with few folds, so it stands beside as a second opinion."
    )
