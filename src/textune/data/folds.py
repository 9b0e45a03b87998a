"""Dividing examples: folds, a fixed split, samples of a size, a validation part.

Everything here gives positions, never copies, and is decided by its arguments alone. Where a
function takes ``indices`` beside ``answers`` or ``groups``, the indices point into those.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from textune.core import seeds
from textune.core.errors import DataError
from textune.data.examples import Answer, Example, Examples
from textune.data.group_folds import group_folds
from textune.data.label_folds import label_folds

Indices = tuple[int, ...]


@dataclass(frozen=True)
class Fold:
    """One division into training and test part, as rising positions."""

    train: Indices
    test: Indices


def fixed_fold(train: Examples, test: Examples) -> Fold:
    """The division that a test file makes: positions in the rows of train, then of test."""
    size = len(train)
    return Fold(tuple(range(size)), tuple(range(size, size + len(test))))


def stratified_folds(
    examples: Examples, folds: int, seed: int, *, grouped: bool | Literal["auto"] = "auto"
) -> list[Fold]:
    """Folds that keep the shares of the labels; each example is in one test part.

    ``grouped`` keeps the examples of a group together (an example without group stands alone);
    ``auto`` does so when any example names a group.

    Raises:
        DataError: fewer than two folds, a label or the groups do not reach for them, or no
            example has a group although ``grouped`` is true.
    """
    answers = examples.answers
    has_groups = any(row.group is not None for row in examples)
    if grouped is True and not has_groups:
        hint = "name the group column of the task"
        raise DataError(f"{examples.source}: no example has a group", hint=hint)
    _check_folds(examples, folds)
    state = seeds.derive(seed, "folds") % 2**32
    if grouped and has_groups:
        groups = _group_keys(examples)
        _check_groups(examples, folds, groups)
        places = {key: place for place, key in reversed(list(enumerate(groups)))}
        tests = group_folds(answers, [places[key] for key in groups], folds, state)
    else:
        tests = label_folds(answers, folds, state)
    divided = [_fold(len(answers), test) for test in tests]
    _check_divided(examples, divided)
    return divided


def sample(indices: Sequence[int], answers: Sequence[Answer], size: int, seed: int) -> Indices:
    """A stratified subset, in rising order, with every label of ``indices`` in it.

    A larger sample of the same seed contains the smaller one. Each label's count is within the
    number of labels of its exact share.

    Raises:
        DataError: the part has fewer examples than ``size``, or more labels.
    """
    by_label = _by_label(indices, answers)
    if size > len(indices):
        raise DataError(
            f"a sample of {size} examples out of a part that has {len(indices)}",
            hint=f"use a size up to {len(indices)}, or all",
        )
    if size < len(by_label):
        raise DataError(
            f"a sample of {size} examples cannot hold {len(by_label)} labels",
            hint=f"use a size of {len(by_label)} or more",
        )
    # The k-th of n examples of a label stands at (k + 1/2) / n of the way; the first comes first.
    ranked: list[tuple[float, Answer, int]] = []
    for label, members in by_label.items():
        order = seeds.generator(seed, "sample", label).permutation(members).tolist()
        ranked += [
            ((rank + 0.5) / len(order) if rank else 0.0, label, index)
            for rank, index in enumerate(order)
        ]
    return tuple(sorted(index for _, _, index in sorted(ranked)[:size]))


def held_out(
    examples: Sequence[Example], strata: Sequence[str], fraction: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """As ``hold_out``, of examples, which keeps their groups whole."""
    groups = [example.group for example in examples]
    train, valid = hold_out(range(len(examples)), strata, fraction, seed, groups)
    return [examples[i] for i in train], [examples[i] for i in valid]


def hold_out(
    indices: Sequence[int],
    answers: Sequence[Answer],
    fraction: float,
    seed: int,
    groups: Sequence[str | None] | None = None,
) -> tuple[Indices, Indices]:
    """A part cut in two, (train, valid), with ``fraction`` of each label in valid.

    Every label keeps at least one example in train. With ``groups`` no group is in both, and
    valid may be smaller than asked for.

    Raises:
        DataError: nothing can be held out: too few examples, or too large groups.
    """
    assert 0 < fraction < 1, fraction
    free = _quotas(Counter(answers[i] for i in indices), fraction)
    members: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index in indices:
        group = groups[index] if groups is not None else None
        members[index if group is None else group].append(index)
    blocks = list(members.values())
    valid: set[int] = set()
    for place in seeds.generator(seed, "hold out").permutation(len(blocks)).tolist():
        needed = Counter(answers[i] for i in blocks[place])
        if needed <= free:
            free -= needed
            valid.update(blocks[place])
    if not valid:
        raise DataError(
            f"cannot hold out {fraction:g} of {len(indices)} examples in {len(blocks)} "
            f"{'examples' if groups is None else 'groups'}",
            hint="use a larger training part, or no validation part",
        )
    return tuple(sorted(set(indices) - valid)), tuple(sorted(valid))


def _fold(size: int, test: Sequence[int]) -> Fold:
    held = set(test)
    return Fold(tuple(i for i in range(size) if i not in held), tuple(test))


def _quotas(counts: Mapping[Answer, int], fraction: float) -> Counter[Answer]:
    """How many of each label to hold out: shares by largest remainder, one of each left."""
    total = max(1, round(fraction * sum(counts.values())))
    quotas = Counter({label: int(fraction * count) for label, count in counts.items()})
    by_remainder = sorted(counts, key=lambda name: (quotas[name] - fraction * counts[name], name))
    for label in by_remainder[: max(0, total - quotas.total())]:
        quotas[label] += 1
    return Counter({label: min(quotas[label], counts[label] - 1) for label in counts})


def _by_label(indices: Sequence[int], answers: Sequence[Answer]) -> dict[Answer, list[int]]:
    found: defaultdict[Answer, list[int]] = defaultdict(list)
    for index in sorted(indices):
        found[answers[index]].append(index)
    return dict(found)


def _group_keys(examples: Examples) -> list[Hashable]:
    """The group of each example; its own position where it has none."""
    return [place if row.group is None else row.group for place, row in enumerate(examples)]


def _check_folds(examples: Examples, folds: int) -> None:
    if folds < 2:
        raise DataError(f"{folds} fold(s) make no test part", hint="use two folds or more")
    if not len(examples):
        raise DataError(f"{examples.source}: no examples to divide", hint="check the data file")
    label, count = min(Counter(examples.answers).items(), key=lambda item: (item[1], item[0]))
    if count < folds:
        raise DataError(
            f"{examples.source}: the label {label!r} has {count} example(s), fewer than "
            f"{folds} folds",
            hint=f"use {count} folds, or merge or drop the label"
            if count > 1
            else "merge or drop the label, or label more of it",
        )


def _check_groups(examples: Examples, folds: int, groups: Sequence[Hashable]) -> None:
    num_groups = len(set(groups))
    if num_groups < folds:
        raise DataError(
            f"{examples.source}: {num_groups} group(s), fewer than {folds} folds",
            hint="use fewer folds, or a finer group column",
        )


def _check_divided(examples: Examples, folds: Sequence[Fold]) -> None:
    """Groups can leave a test part empty, or a training part without a label."""
    answers = examples.answers
    labels = set(answers)
    for fold in folds:
        missing = labels - {answers[i] for i in fold.train}
        if missing or not fold.test:
            what = f"no example of {min(missing)!r} to train on" if missing else "no test example"
            raise DataError(
                f"{examples.source}: the groups leave a fold with {what}",
                hint="use fewer folds, or a finer group column",
            )
