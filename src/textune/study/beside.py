"""Cells that are fitted side by side; each is tested and stored by itself."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Protocol

from textune.approaches.base import FitPart
from textune.core import files
from textune.core.errors import StoreError
from textune.cost.memory import release_memory
from textune.cost.meter import Meter, meter
from textune.study.plan import Cell
from textune.study.work import Bench, Spent, run_cell, tested


class Told(Protocol):
    """Who hears what happens in a cell."""

    def step(self, done: int, total: int, loss: float) -> None:
        """A training step was done."""

    def read(self, tokens: int) -> None:
        """Models have read so many tokens of its fit, or anew of its predictions."""


def groups_of(cells: Sequence[Cell], most: int) -> list[tuple[Cell, ...]]:
    """Neighbours that may be fitted side by side, so many at most; others stand alone.

    They have one approach and as many training examples, so each takes an equal share.
    """
    groups: list[tuple[Cell, ...]] = []
    for cell in cells:
        last = groups[-1] if groups else ()
        is_like = last and last[0].approach == cell.approach and last[0].key.size == cell.key.size
        if is_like and cell.approach.stands_beside and len(last) < most:
            groups[-1] = (*last, cell)
        else:
            groups.append((cell,))
    return groups


def run_group(
    cells: Sequence[Cell],
    bench: Bench,
    told: Callable[[Cell], Told],
) -> Iterator[Cell]:
    """Do cells, together where they are several; each is given as soon as it has its record.

    What cannot be done together is done one after the other, from where its checkpoint is.

    Raises:
        StoreError: a folder cannot be written or is damaged; what has no record stays to be done.
    """
    done: set[str] = set()
    if len(cells) > 1:
        try:
            for cell in _together(cells, bench, told):
                done.add(cell.fingerprint)
                yield cell
        except StoreError:
            raise
        except Exception:  # whatever it was: it is that cell's own result, or it does not happen
            bench.context.pool_drop()
    for cell in cells:
        if cell.fingerprint not in done:
            who = told(cell)
            run_cell(cell, bench, who.step, who.read)
            yield cell


def _together(
    cells: Sequence[Cell],
    bench: Bench,
    told: Callable[[Cell], Told],
) -> Iterator[Cell]:
    approach, number = cells[0].approach, len(cells)
    with contextlib.ExitStack() as stack:
        for cell in cells:
            stack.enter_context(files.locked(bench.store.cell(cell.fingerprint) / "lock"))
            bench.work(cell).mkdir(parents=True, exist_ok=True)
        spent = [Spent.of(cell, bench) for cell in cells]
        approach.warm_up(bench.context)
        release_memory()
        with meter(device_peak=bench.device_peak, told=told(cells[0]).read) as fitting:
            parts = [
                FitPart(
                    bench.rows(cell.train),
                    bench.rows(cell.valid),
                    cell.key.seed,
                    replace(
                        bench.context,
                        work=bench.work(cell),
                        report=told(cell).step,
                        kept=partial(_keep, own, fitting, number),
                    ),
                )
                for cell, own in zip(cells, spent, strict=True)
            ]
            predictors = approach.fit_beside(bench.task.sealed, parts)
            first = next(predictors)
        usage = fitting.usage.shared(number)
        each = zip(cells, spent, chain([first], predictors), strict=True)
        for cell, own, predictor in each:
            found = tested(cell, bench, predictor, own.with_earlier(usage), told(cell).read)
            bench.finish(cell, *found)
            yield cell


def _keep(spent: Spent, fitting: Meter, number: int) -> None:
    """Write down a cell's share of what was used until now."""
    spent.keep(fitting.so_far().shared(number))
