"""``textune plan``."""

from pathlib import Path

from textune.cli.output import print_json, print_lines, print_table
from textune.results.store import Store
from textune.study.estimate import Estimate, estimate
from textune.study.plan import Plan, make_plan
from textune.study.spec import load_study


def show(path: Path, *, as_json: bool) -> None:
    """Print every approach with its cells, what stands in the way, expected time and price."""
    plan = make_plan(load_study(path))
    store = Store(Path("runs") / plan.study.name)
    known = [store.load(c.fingerprint) for c in plan.cells if store.has(c.fingerprint)]
    expected = {label: estimate(plan, label, known) for label in plan.study.approaches}
    if as_json:
        print_json(_content(plan, store, expected))
        return
    protocol = plan.protocol
    split = f"{protocol.folds} folds" if protocol.split == "kfold" else "a fixed split"
    print_lines(
        [
            f"{plan.study.name}: {len(plan.cells)} cells on {plan.study.task.name}, {split}, "
            f"{len(protocol.seeds)} seed(s), {len(plan.tested):,} tested examples",
            "",
        ]
    )
    rows = []
    for label in plan.study.approaches:
        cells = [c for c in plan.cells if c.key.approach == label]
        done = sum(store.has(c.fingerprint) for c in cells)
        said = expected[label]
        rows.append([label, str(len(cells)), str(done), *_shown(said), said.basis])
    print_table(["approach", "cells", "done", "hours left", "price left", "based on"], rows)
    for label, error in plan.impossible.items():
        print_lines(["", f"impossible: {label}: {error.message}", f"  hint: {error.hint}"])
    hours = sum(e.seconds for e in expected.values()) / 3600
    money = sum(e.price for e in expected.values())
    currency = next(iter(expected.values())).currency
    print_lines(["", f"left in all: about {hours:.2f} hours, {money:.2f} {currency}"])


def _shown(expected: Estimate) -> tuple[str, str]:
    return f"{expected.seconds / 3600:.2f}", f"{expected.price:.3f} {expected.currency}"


def _content(plan: Plan, store: Store, expected: dict[str, Estimate]) -> dict[str, object]:
    return {
        "study": plan.study.name,
        "cells": [
            {
                "fingerprint": c.fingerprint,
                "approach": c.key.approach,
                "size": c.key.size,
                "fold": c.key.fold,
                "seed": c.key.seed,
                "train": len(c.train),
                "valid": len(c.valid),
                "test": len(c.test),
                "done": store.has(c.fingerprint),
            }
            for c in plan.cells
        ],
        "impossible": {label: error.message for label, error in plan.impossible.items()},
        "expected": {
            label: {
                "seconds_left": e.seconds,
                "price_left": e.price,
                "currency": e.currency,
                "based_on": e.basis,
            }
            for label, e in expected.items()
        },
    }
