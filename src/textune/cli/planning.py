"""``textune plan``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textune.cli.output import print_json, print_lines, print_table
from textune.core.config import plain
from textune.cost.price import OWN_TABLE
from textune.models.architecture import Drafts
from textune.models.device import memory_bytes
from textune.results.run import MAY_HAVE_SEEN, doubts
from textune.results.store import Store
from textune.study.earlier import Earlier, earlier_cells
from textune.study.estimate import Estimate, Estimator
from textune.study.parts import chosen, make_plans
from textune.study.plan import Plan
from textune.study.spec import load_studies

HEADER = ["approach", "cells", "done", "trains", "memory", "hours left", "price left", "based on"]


@dataclass(frozen=True)
class _Planned:
    """A plan, what is done of it, and what is expected of each approach."""

    plan: Plan
    store: Store
    expected: dict[str, Estimate]


def show(path: Path, part: str | None, *, as_json: bool) -> None:
    """Print every approach: cells, what stands in the way, expected memory, time and price."""
    plans = make_plans(chosen(load_studies(path), part))
    earlier, drafts = earlier_cells(Path("runs")), Drafts()
    found = [_planned(plan, earlier, drafts) for plan in plans]
    if as_json:
        contents = {each.plan.study.part: _content(each) for each in found}
        name = plans[0].study.name
        print_json(contents.get("", {"study": name, "parts": contents}))
        return
    for place, each in enumerate(found):
        print_lines([""] * bool(place))
        _print(each)
    expected = [said for each in found for said in each.expected.values()]
    hours = sum(e.seconds for e in expected) / 3600
    money = sum(e.price for e in expected if e.price is not None)
    unknown = " and what has no price" if any(e.price is None for e in expected) else ""
    total = f"left in all: about {hours:.2f} hours, {money:.2f} {expected[0].currency}{unknown}"
    print_lines(["", total])


def _planned(plan: Plan, earlier: Sequence[Earlier], drafts: Drafts) -> _Planned:
    store = Store(Path("runs") / plan.study.folder)
    known = [store.load(c.fingerprint) for c in plan.cells if store.has(c.fingerprint)]
    estimator = Estimator(plan, known, earlier, drafts)
    expected = {label: estimator.approach(label) for label in plan.study.approaches}
    return _Planned(plan, store, expected)


def _print(planned: _Planned) -> None:
    plan, protocol = planned.plan, planned.plan.protocol
    split = f"{protocol.folds} folds" if protocol.split == "kfold" else "a fixed split"
    print_lines(
        [
            f"{plan.study.folder}: {len(plan.cells)} cells on {plan.study.task.name}, {split}, "
            f"{len(protocol.seeds)} seed(s), {len(plan.tested):,} tested examples",
            "",
        ]
    )
    rows = []
    for label, said in planned.expected.items():
        done = sum(planned.store.has(e.fingerprint) for e in said.cells)
        rows.append([label, str(len(said.cells)), str(done), *_shown(said), said.basis])
    print_table(HEADER, rows)
    for doubt in doubts(plan.infos):
        print_lines(["", f"{MAY_HAVE_SEEN}: {doubt}"])
    for label, error in plan.impossible.items():
        print_lines(["", f"impossible: {label}: {error.message}", f"  hint: {error.hint}"])
    for label, said in planned.expected.items():
        print_lines(_too_large(label, said))
        print_lines(_sparing(label, said))
        print_lines(_served(label, said))


def _shown(said: Estimate) -> list[str]:
    peaks = [e.peak_bytes for e in said.cells if e.peak_bytes is not None]
    return [
        "-" if said.trained_share is None else f"{100 * said.trained_share:.3g} %",
        f"{_gib(max(peaks))}" if peaks else "-",
        f"{said.seconds / 3600:.2f}",
        "-" if said.price is None else f"{said.price:.3f} {said.currency}",
    ]


def _too_large(label: str, said: Estimate) -> list[str]:
    """The lines of an approach some of whose cells this machine has no memory for."""
    number = sum(e.fits is False for e in said.cells)
    if not number or said.needed_bytes is None:
        return []
    what = f"too large: {label}: {number} of {len(said.cells)} cells do not fit: "
    hint = "a smaller model, shorter texts, a method that trains less, or a base in 4 bits"
    needs = f"about {_gib(said.needed_bytes)} needed, this machine has {_gib(memory_bytes())}"
    return ["", f"{what}{needs}", f"  hint: {hint}"]


def _sparing(label: str, said: Estimate) -> list[str]:
    """The lines of an approach whose training saves memory at the cost of time."""
    number = sum(e.sparing and e.fits is not False for e in said.cells)
    if not number:
        return []
    what = f"short of memory: {label}: {number} of {len(said.cells)} cells divide their batches"
    hint = "results stay the same, but they take longer, which is not in the hours"
    return ["", f"{what} or run layers twice", f"  hint: {hint}"]


def _served(label: str, said: Estimate) -> list[str]:
    """The lines of an approach that asks models elsewhere."""
    lines = [
        f"sends: {label}: about {tokens.input:,} tokens to {model}, gets {tokens.output:,} back"
        for model, tokens in said.served.items()
    ]
    if said.price is None:
        lines.append(f"  hint: what its tokens cost belongs under 'served' in ${OWN_TABLE}")
    return ["", *lines] if lines else []


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"


def _content(planned: _Planned) -> dict[str, object]:
    plan, store, expected = planned.plan, planned.store, planned.expected
    cells = {e.fingerprint: e for said in expected.values() for e in said.cells}
    return {
        "study": plan.study.folder.as_posix(),
        "memory_bytes": memory_bytes(),
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
                "seconds": cells[c.fingerprint].seconds,
                "price": cells[c.fingerprint].price,
                "peak_bytes": cells[c.fingerprint].peak_bytes,
                "fits": cells[c.fingerprint].fits,
                "sparing": cells[c.fingerprint].sparing,
            }
            for c in plan.cells
        ],
        "may_have_seen": {label: i.doubt for label, i in plan.infos.items() if i.doubt},
        "impossible": {label: error.message for label, error in plan.impossible.items()},
        "expected": {
            label: {
                "seconds_left": e.seconds,
                "price_left": e.price,
                "served_tokens_left": {m: plain(tokens) for m, tokens in e.served.items()},
                "currency": e.currency,
                "trained_share": e.trained_share,
                "needed_bytes": e.needed_bytes,
                "based_on": e.basis,
            }
            for label, e in expected.items()
        },
    }
