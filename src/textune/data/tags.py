"""Tagged tokens to entities: one rule that reads every tagging scheme in use.

An entity opens at B, S and U, and at I, E and L when nothing of its type is open; it closes before
O, before another opens, and after E, L, S and U. This reads IOB2, BIOES and BILOU as they are
meant, IOB1 (B stands only between neighbours of one type), and files whose entities of one token
are tagged I. Which scheme a file has need not be known.
"""

from collections.abc import Iterable, Iterator, Sequence

from textune.core.errors import DataError
from textune.data.entities import Entity, entity

OPENING, CLOSING = "BSU", "ESLU"


def spans_of(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Entities as (first token, token after the last, type).

    Raises:
        DataError: a tag is neither O nor a letter of a scheme, a dash and a type.
    """
    start, open_type = 0, ""
    for place, tag in enumerate([*tags, "O"]):
        letter, type = _parsed(tag)
        goes_on = bool(open_type) and type == open_type and letter not in OPENING
        if open_type and not goes_on:
            yield start, place, open_type
        if not goes_on:
            start, open_type = place, type
        if open_type and letter in CLOSING:
            yield start, place + 1, open_type
            open_type = ""


def scheme(types: Iterable[str]) -> list[str]:
    """All tags (IOB2) of these types."""
    return ["O", *(f"{letter}-{type}" for type in types for letter in "BI")]


def may_follow(before: str, tag: str) -> bool:
    """Whether a tag (IOB2) may stand after another; before the first one stands O."""
    letter, type = _parsed(tag)
    return letter != "I" or type == _parsed(before)[1]


def _parsed(tag: str) -> tuple[str, str]:
    """Letter and type; the type of O is empty."""
    if tag == "O":
        return "O", ""
    letter, dash, type = tag.partition("-")
    if not dash or not type or letter not in {*"BIELSU"}:
        hint = "tags are O, or B-, I-, E-, L-, S- or U- with a type: B-Method"
        raise DataError(f"unknown tag {tag!r}", hint=hint)
    return letter, type


def tags_of(words: Sequence[tuple[int, int]], entities: Iterable[Entity]) -> list[str]:
    """A tag (IOB2) for each word, given by its characters; of nested entities the outermost.

    A word belongs to an entity if they share a character.
    """
    tags = ["O"] * len(words)
    for each in sorted(entities, key=lambda e: (e.start - e.end, e.start, e.type)):
        inside = [i for i, (s, e) in enumerate(words) if s < each.end and e > each.start]
        if inside and all(tags[i] == "O" for i in inside):
            tags[inside[0]] = f"B-{each.type}"
            for place in inside[1:]:
                tags[place] = f"I-{each.type}"
    return tags


def entities_of(text: str, words: Sequence[tuple[int, int]], tags: Sequence[str]) -> list[Entity]:
    """The entities that tagged words of a text make."""
    return [
        entity(text, words[first][0], words[after - 1][1], type)
        for first, after, type in spans_of(tags)
    ]


def joined(
    tokens: Sequence[str], spans: Sequence[tuple[int, int, str]]
) -> tuple[str, list[list[object]]]:
    """Tokens with spaces between them; spans of tokens as [start, end, type] in characters."""
    starts, at = [], 0
    for token in tokens:
        starts.append(at)
        at += len(token) + 1
    entities: list[list[object]] = [
        [starts[first], starts[after - 1] + len(tokens[after - 1]), type]
        for first, after, type in spans
    ]
    return " ".join(tokens), entities
