"""What an audit looks for: labels, repeats, leaks, odd texts, groups, recurring texts of pairs.

Each check gives findings. What needs a model or a classifier is not here.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from textune.data.duplicates import THRESHOLD, near_duplicates
from textune.data.examples import Answer, Example
from textune.data.findings import (
    Finding,
    LabelsIn,
    Level,
    Part,
    count_labels,
    counted,
    percent,
    shown,
)

SHORT_CHARACTERS = 10
"""A text with fewer characters is very short."""
SHIFT = 0.1
"""Difference of a label's share between train and test that is worth a warning."""
IMBALANCE = 10
"""The most frequent label has so many times the examples of the rarest: worth knowing."""
LOST = "\ufffd"
"""What decoding leaves in the place of a character that it could not read."""


def label_findings(
    train: Part, test: Part | None, labels: Sequence[str], folds: int, labels_in: LabelsIn
) -> Iterator[Finding]:
    """Labels that are missing, rare, or unevenly spread over the parts."""
    counts = count_labels(train.examples, labels_in)
    if absent := [label for label in labels if not counts[label]]:
        yield _about_labels("problem", "absent label", "without training example", absent)
    if rare := [label for label in labels if 0 < counts[label] < folds]:
        named = [f"{label} ({counts[label]})" for label in rare]
        level: Level = "problem" if test is None else "warning"
        why = "too few to learn from" if test is not None else f"too few for {folds} folds"
        yield _about_labels(level, "rare label", f"with fewer than {folds} examples, {why}", named)
    if test is None:
        return
    tested = count_labels(test.examples, labels_in)
    if untested := [label for label in labels if not tested[label]]:
        yield _about_labels("warning", "untested label", "without test example", untested)
    shares = [(x, counts[x] / counts.total(), tested[x] / tested.total()) for x in labels]
    shifted = [(x, percent(a, 0), percent(b, 0)) for x, a, b in shares if abs(a - b) > SHIFT]
    if named := [f"{label} ({before} to {after})" for label, before, after in shifted]:
        yield _about_labels("warning", "label shift", "with another share in test", named)


def balance_findings(
    train: Part, labels: Sequence[str], labels_in: LabelsIn, said: Callable[[Answer], str]
) -> Iterator[Finding]:
    """The most frequent answer, and labels that are exactly even or far from it."""
    answer, number = Counter(train.examples.answers).most_common(1)[0]
    share = percent(number / len(train.examples))
    message = f"always answering {said(answer)!r} is right for {share} of train"
    yield Finding(level="info", name="majority", message=message, count=number)
    counts = count_labels(train.examples, labels_in)
    least, most = (choose(labels, key=counts.__getitem__) for choose in (min, max))
    if len(labels) > 1 and counts[least] == counts[most]:
        message = f"every label has exactly {counts[most]:,} in train"
        yield Finding(level="info", name="balanced", message=message, count=counts[most])
    elif counts[most] >= IMBALANCE * counts[least] > 0:
        times = counts[most] // counts[least]
        message = f"{most!r} is {times:,} times as frequent as {least!r} in train"
        yield Finding(level="info", name="imbalance", message=message, count=times)


def repeat_findings(train: Part, test: Part | None) -> Iterator[Finding]:
    """Examples with the same texts, case, punctuation and spaces aside."""
    parts = [train] if test is None else [train, test]
    for part in parts:
        repeated = [group for group in part.by_key().values() if len(group) > 1]
        if repeated:
            number = sum(len(group) - 1 for group in repeated)
            verb = "repeats" if number == 1 else "repeat"
            message = f"{counted(number, 'example')} of {part.name} {verb} an earlier one"
            yield shown("warning", f"repeats in {part.name}", message, number, repeated)
    known = train.by_key()
    joined = {key: list(group) for key, group in known.items()}
    if test is not None:
        leaks = [(known[key][0], example) for key, example in test.rows() if key in known]
        if leaks:
            verb, they = ("is", "it tests") if len(leaks) == 1 else ("are", "they test")
            message = f"{counted(len(leaks), 'example')} of test {verb} also in train: "
            yield shown("problem", "leak", f"{message}{they} memory", len(leaks), leaks)
        for key, example in test.rows():
            joined.setdefault(key, []).append(example)
    # One example for each answer shows the contradiction; a text may recur often.
    by_answer = [list({e.answer: e for e in group}.values()) for group in joined.values()]
    torn = [group for group in by_answer if len(group) > 1]
    if torn:
        what = counted(len(torn), "pair" if len(torn[0][0].texts) > 1 else "text")
        verb = "occurs" if len(torn) == 1 else "occur"
        message = f"{what} {verb} with contradictory labels"
        yield shown("warning", "contradiction", message, len(torn), torn)


def near_findings(train: Part, test: Part | None) -> Iterator[Finding]:
    """Examples that share most of their word 3-grams with another one, exact repeats aside."""
    near = near_duplicates(train.keys, [] if test is None else test.keys)
    first = {key: group[0] for key, group in train.by_key().items()}
    tested = {} if test is None else {key: group[0] for key, group in test.by_key().items()}
    how = f"(Jaccard {THRESHOLD:g} of word 3-grams)"
    for name, pairs, of in (("train", near.train, first), ("test", near.test, tested)):
        if pairs:
            message = f"{_nearly(len(pairs), name)} another one {how}"
            groups = [(of[a], of[b]) for a, b in pairs]
            yield shown("info", f"near repeats in {name}", message, len(pairs), groups)
    if near.across:
        message = f"{_nearly(len(near.across), 'test')} one of train {how}"
        groups = [(first[a], tested[b]) for a, b in near.across]
        yield shown("warning", "near leak", message, len(near.across), groups)


def text_findings(part: Part) -> Iterator[Finding]:
    """Texts that are empty, very short, or damaged."""
    sizes = [(min(len(text.strip()) for text in e.texts), e) for e in part.examples]
    damaged = [(e,) for e in part.examples if any(LOST in text for text in e.texts)]
    found: list[tuple[Level, str, str, list[tuple[Example]]]] = [
        ("problem", "empty", "an empty text", [(e,) for size, e in sizes if size == 0]),
        ("warning", "damaged", "a character that was lost in decoding (U+FFFD)", damaged),
        (
            "info",
            "short",
            f"a text of fewer than {SHORT_CHARACTERS} characters",
            [(e,) for size, e in sizes if 0 < size < SHORT_CHARACTERS],
        ),
    ]
    for level, name, what, rows in found:
        if rows:
            verb = "has" if len(rows) == 1 else "have"
            message = f"{counted(len(rows), 'example')} of {part.name} {verb} {what}"
            yield shown(level, f"{name} in {part.name}", message, len(rows), rows)


def group_findings(train: Part, test: Part | None) -> Iterator[Finding]:
    """Groups, and whether they are in both parts."""
    sizes = Counter(e.group for e in train.examples if e.group is not None)
    if not sizes:
        return
    largest = counted(max(sizes.values()), "example")
    message = f"{counted(len(sizes), 'group')} in train, the largest of {largest}"
    yield Finding(level="info", name="groups", message=message, count=len(sizes))
    crossing = [] if test is None else [(e,) for e in test.examples if e.group in sizes]
    if crossing:
        verb = "is" if len(crossing) == 1 else "are"
        what = f"{counted(len(crossing), 'example')} of test {verb} of a group"
        message = f"{what} that is also in train"
        yield shown("problem", "group leak", message, len(crossing), crossing)


def pair_findings(train: Part, test: Part | None) -> Iterator[Finding]:
    """Single texts that recur in several pairs, beyond one group or across the split."""
    places: defaultdict[str, list[Example]] = defaultdict(list)
    for key, example in train.rows():
        for text in dict.fromkeys(key):
            places[text].append(example)
    if test is not None:
        shared = [
            (next(places[text][0] for text in key if text in places), example)
            for key, example in test.rows()
            if any(text in places for text in key)
        ]
        if shared:
            verb = "shares" if len(shared) == 1 else "share"
            message = f"{counted(len(shared), 'pair')} of test {verb} a text with train"
            yield shown("warning", "shared text", message, len(shared), shared)
        return
    recurring = [pairs for pairs in places.values() if len(pairs) > 1 and not _is_grouped(pairs)]
    if recurring:
        verb = "recurs" if len(recurring) == 1 else "recur"
        message = (
            f"{counted(len(recurring), 'text')} {verb} in several pairs: random folds put them "
            "into training and test, 'grouped: texts' keeps them together"
        )
        yield shown("warning", "recurring text", message, len(recurring), recurring)


def _is_grouped(examples: Sequence[Example]) -> bool:
    groups = {example.group for example in examples}
    return len(groups) == 1 and None not in groups


def _nearly(number: int, part: str) -> str:
    return f"{counted(number, 'example')} of {part} nearly repeat{'s' * (number == 1)}"


def _about_labels(level: Level, name: str, what: str, labels: Sequence[str]) -> Finding:
    message = f"{counted(len(labels), 'label')} {what}: {', '.join(labels)}"
    return Finding(level=level, name=name, message=message, count=len(labels))
