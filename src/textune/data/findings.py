"""Finding: one thing to know about the data before spending anything; and the checks for each."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from textune.data.duplicates import THRESHOLD, Key, key_of, near_duplicates
from textune.data.examples import Answer, Example, Examples

MAX_EXCERPTS = 5
EXCERPT_CHARACTERS = 80
SHORT_CHARACTERS = 10
"""A text with fewer characters is very short."""
SHIFT = 0.1
"""Difference of a label's share between train and test that is worth a warning."""


@dataclass(frozen=True)
class Excerpt:
    """Examples that show a finding: one, or several that belong together."""

    ids: tuple[str, ...]
    text: str
    """Start of the first one's text; the texts of a pair with `` | `` between them."""
    answers: tuple[Answer, ...] = ()
    """Gold answers, in the order of ``ids``, where known."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing to know about the data."""

    level: Literal["info", "warning", "problem"]
    """``problem``: scores would be wrong or a study would fail; ``warning``: think about it."""
    name: str
    """Which check found it, for programs."""
    message: str
    """One line for people."""
    count: int
    """How many examples, texts, labels or groups (the message says which)."""
    examples: tuple[Excerpt, ...] = ()
    """Up to five."""


LabelsIn = Callable[[Answer], Sequence[str]]
"""The labels that an answer names."""


def count_labels(examples: Examples, labels_in: LabelsIn) -> Counter[str]:
    """How often answers name each label."""
    return Counter(label for answer in examples.answers for label in labels_in(answer))


@dataclass(frozen=True)
class Part:
    """A part of the data with the normalised texts of its examples."""

    name: str
    examples: Examples
    keys: list[Key]

    @classmethod
    def of(cls, name: str, examples: Examples) -> "Part":
        """The part of that name."""
        return cls(name, examples, [key_of(example) for example in examples])

    def by_key(self) -> dict[Key, list[Example]]:
        """Key -> its examples, in order."""
        found: defaultdict[Key, list[Example]] = defaultdict(list)
        for key, example in zip(self.keys, self.examples, strict=True):
            found[key].append(example)
        return dict(found)


def label_findings(
    train: Part, test: Part | None, labels: Sequence[Answer], folds: int, labels_in: LabelsIn
) -> Iterator[Finding]:
    """Labels that are missing, rare, dominant, or unevenly spread over the parts."""
    counts = count_labels(train.examples, labels_in)
    if absent := [label for label in labels if not counts[label]]:
        yield _about_labels("problem", "absent label", "without training example", absent)
    if rare := [label for label in labels if 0 < counts[label] < folds]:
        level: Literal["problem", "warning"] = "problem" if test is None else "warning"
        named = [f"{label} ({counts[label]})" for label in rare]
        yield _about_labels(level, "rare label", f"with fewer than {folds} examples", named)
    label, count = Counter(train.examples.answers).most_common(1)[0]
    share = f"{count / len(train.examples):.1%} of train"
    message = f"always answering {label!r} is right for {share}"
    yield Finding(level="info", name="majority", message=message, count=count)
    if test is None:
        return
    tested = count_labels(test.examples, labels_in)
    if untested := [label for label in labels if not tested[label]]:
        yield _about_labels("warning", "untested label", "without test example", untested)
    shares = [(x, counts[x] / counts.total(), tested[x] / tested.total()) for x in labels]
    if named := [f"{x} ({a:.0%} to {b:.0%})" for x, a, b in shares if abs(a - b) > SHIFT]:
        yield _about_labels("warning", "label shift", "with another share in test", named)


def repeat_findings(train: Part, test: Part | None) -> Iterator[Finding]:
    """Examples with the same texts, case, punctuation and spaces aside."""
    parts = [train] if test is None else [train, test]
    for part in parts:
        repeated = [group for group in part.by_key().values() if len(group) > 1]
        if repeated:
            count = sum(len(group) - 1 for group in repeated)
            message = f"{count} example(s) of {part.name} repeat an earlier one"
            yield _shown("warning", f"repeats in {part.name}", message, count, repeated)
    known = train.by_key()
    joined = {key: list(group) for key, group in known.items()}
    if test is not None:
        leaks = [(known[key][0], example) for key, example in _rows(test) if key in known]
        if leaks:
            message = f"{len(leaks)} example(s) of test are also in train: they test memory"
            yield _shown("problem", "leak", message, len(leaks), leaks)
        for key, example in _rows(test):
            joined.setdefault(key, []).append(example)
    # One example for each answer shows the contradiction; a text may recur often.
    by_answer = [list({e.answer: e for e in group}.values()) for group in joined.values()]
    torn = [group for group in by_answer if len(group) > 1]
    if torn:
        message = f"{len(torn)} text(s) occur with contradictory labels"
        yield _shown("warning", "contradiction", message, len(torn), torn)


def near_findings(train: Part, test: Part | None) -> Iterator[Finding]:
    """Examples that share most of their word 3-grams with another one, exact repeats aside."""
    near = near_duplicates(train.keys, [] if test is None else test.keys)
    first = {key: group[0] for key, group in train.by_key().items()}
    tested = {} if test is None else {key: group[0] for key, group in test.by_key().items()}
    how = f"(Jaccard {THRESHOLD:g} of word 3-grams)"
    for name, pairs, of in (("train", near.train, first), ("test", near.test, tested)):
        if pairs:
            message = f"{len(pairs)} example(s) of {name} nearly repeat another one {how}"
            shown = [(of[a], of[b]) for a, b in pairs]
            yield _shown("info", f"near repeats in {name}", message, len(pairs), shown)
    if near.across:
        message = f"{len(near.across)} example(s) of test nearly repeat one of train {how}"
        shown = [(first[a], tested[b]) for a, b in near.across]
        yield _shown("warning", "near leak", message, len(near.across), shown)


def text_findings(parts: Sequence[Part]) -> Iterator[Finding]:
    """Texts that are empty or very short."""
    for part in parts:
        sizes = [(min(len(t.strip()) for t in e.texts), e) for e in part.examples]
        if empty := [(e,) for size, e in sizes if size == 0]:
            message = f"{len(empty)} example(s) of {part.name} have an empty text"
            yield _shown("problem", f"empty in {part.name}", message, len(empty), empty)
        if short := [(e,) for size, e in sizes if 0 < size < SHORT_CHARACTERS]:
            message = (
                f"{len(short)} example(s) of {part.name} have a text of fewer than "
                f"{SHORT_CHARACTERS} characters"
            )
            yield _shown("info", f"short in {part.name}", message, len(short), short)


def group_findings(train: Part, test: Part | None) -> Iterator[Finding]:
    """Groups, and whether they are in both parts."""
    sizes = Counter(e.group for e in train.examples if e.group is not None)
    if not sizes:
        return
    message = f"{len(sizes)} group(s) in train, the largest of {max(sizes.values())} example(s)"
    yield Finding(level="info", name="groups", message=message, count=len(sizes))
    crossing = [] if test is None else [(e,) for e in test.examples if e.group in sizes]
    if crossing:
        message = f"{len(crossing)} example(s) of test are of a group that is also in train"
        yield _shown("problem", "group leak", message, len(crossing), crossing)


def pair_findings(train: Part, test: Part | None) -> Iterator[Finding]:
    """Single texts that recur in several pairs, beyond one group or across the split."""
    places: defaultdict[str, list[Example]] = defaultdict(list)
    for key, example in _rows(train):
        for text in dict.fromkeys(key):
            places[text].append(example)
    if test is not None:
        shared = [
            (next(places[text][0] for text in key if text in places), example)
            for key, example in _rows(test)
            if any(text in places for text in key)
        ]
        if shared:
            message = f"{len(shared)} pair(s) of test share a text with train"
            yield _shown("warning", "shared text", message, len(shared), shared)
        return
    recurring = [pairs for pairs in places.values() if len(pairs) > 1 and not _is_grouped(pairs)]
    if recurring:
        message = (
            f"{len(recurring)} text(s) recur in several pairs: random folds put them into "
            "training and test, a group column keeps them together"
        )
        yield _shown("warning", "recurring text", message, len(recurring), recurring)


def _is_grouped(examples: Sequence[Example]) -> bool:
    groups = {example.group for example in examples}
    return len(groups) == 1 and None not in groups


def _rows(part: Part) -> Iterable[tuple[Key, Example]]:
    return zip(part.keys, part.examples, strict=True)


def _about_labels(
    level: Literal["info", "warning", "problem"], name: str, what: str, labels: Sequence[str]
) -> Finding:
    message = f"{len(labels)} label(s) {what}: {', '.join(labels)}"
    return Finding(level=level, name=name, message=message, count=len(labels))


def _shown(
    level: Literal["info", "warning", "problem"],
    name: str,
    message: str,
    count: int,
    groups: Sequence[Sequence[Example]],
) -> Finding:
    excerpts = tuple(_excerpt(group) for group in groups[:MAX_EXCERPTS])
    return Finding(level=level, name=name, message=message, count=count, examples=excerpts)


def _excerpt(group: Sequence[Example]) -> Excerpt:
    """The examples of a group, cut to as many as a finding shows."""
    kept = group[:MAX_EXCERPTS]
    text = " ".join(" | ".join(kept[0].texts).split())
    if len(text) > EXCERPT_CHARACTERS:
        text = text[: EXCERPT_CHARACTERS - 3] + "..."
    answers = tuple(e.answer for e in kept if e.answer is not None)
    return Excerpt(tuple(e.id for e in kept), text, answers)
