"""Predictions as the server of the GLUE benchmark (Wang et al., 2019) wants them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from textune.core.errors import ConfigError, DataError, did_you_mean
from textune.core.files import write_text
from textune.data.readers.base import reader_for

NLI = ("entailment", "neutral", "contradiction")
TWO_WAY = ("entailment", "not_entailment")
TRUTH = ("0", "1")
SCORES = (0.0, 5.0)
"""Lowest and highest similarity of STS-B."""


@dataclass(frozen=True)
class Part:
    """A test part of the benchmark: its number of examples and its labels; none: a score."""

    size: int
    labels: tuple[str, ...] = ()


PARTS = {
    "AX": Part(1104, NLI),
    "CoLA": Part(1063, TRUTH),
    "MNLI-m": Part(9796, NLI),
    "MNLI-mm": Part(9847, NLI),
    "MRPC": Part(1725, TRUTH),
    "QNLI": Part(5463, TWO_WAY),
    "QQP": Part(390_965, TRUTH),
    "RTE": Part(3000, TWO_WAY),
    "SST-2": Part(1821, TRUTH),
    "STS-B": Part(1379),
    "WNLI": Part(146, TRUTH),
}
"""Name of the server's file -> what it must hold."""


def write_submission(
    name: str, predictions: Path, out: Path, values: Mapping[str, str]
) -> tuple[Path, int]:
    """Write ``<out>/<name>.tsv`` with an index and a prediction a line.

    Predictions are the output of ``textune predict`` or of a cell. Their order is that of the
    benchmark's test file; ids that are all whole numbers are taken for its indices.

    Args:
        name: a key of ``PARTS``.
        predictions: any format with a reader; columns ``id`` and ``label`` or ``answer``.
        out: the folder.
        values: the server's word -> the task's label, as under ``data.values`` of a task.

    Returns:
        The file and its number of predictions.

    Raises:
        ConfigError: there is no such part.
        DataError: an answer is missing or none of the part's, or their number is not its.
    """
    if name not in PARTS:
        hint = did_you_mean(name, PARTS)
        raise ConfigError(f"GLUE has no test part {name!r}", hint=hint)
    part = PARTS[name]
    words = {label: word for word, label in values.items() if word in part.labels}
    words |= {word: word for word in part.labels if word not in words}
    found = dict(_predictions(predictions, part, words))
    if len(found) != part.size:
        raise DataError(
            f"{predictions}: {len(found):,} predictions, {name} has {part.size:,} test examples",
            hint="predict the whole test file of the benchmark, in its order",
        )
    ordered = _ordered(found, predictions)
    lines = [f"{index}\t{word}\n" for index, word in enumerate(ordered)]
    path = out / f"{name}.tsv"
    write_text(path, "".join(["index\tprediction\n", *lines]))
    return path, len(ordered)


def _predictions(path: Path, part: Part, words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Id and server's word of each prediction."""
    reader = reader_for(path)
    for number, row in reader.rows(path):
        place = f"{path}, {reader.unit} {number}"
        column = "label" if "label" in row else "answer"
        if missing := [each for each in ("id", column) if each not in row]:
            hint = "give what textune predict wrote"
            raise DataError(f"{place}: no column {missing[0]!r}", hint=hint)
        answer = "" if row[column] is None else str(row[column]).strip()
        yield str(row["id"]), _word(answer, part, words, place)


def _word(answer: str, part: Part, words: Mapping[str, str], place: str) -> str:
    if not answer:
        hint = "the server wants one for every example: fill in the most frequent label"
        raise DataError(f"{place}: no prediction", hint=hint)
    if part.labels:
        if answer not in words:
            hint = f"{did_you_mean(answer, words)} Or name the task whose values translate it"
            raise DataError(f"{place}: {answer!r} is no label of this part", hint=hint)
        return words[answer]
    low, high = SCORES
    try:
        score = float(answer)
    except ValueError:
        score = float("nan")
    if not low <= score <= high:
        hint = f"a similarity is a number from {low:g} to {high:g}"
        raise DataError(f"{place}: {answer!r} is no score", hint=hint)
    return f"{score:.3f}"


def _ordered(found: Mapping[str, str], path: Path) -> list[str]:
    """By index where ids are whole numbers, else as they come."""
    if not all(each.isdecimal() for each in found):
        return list(found.values())
    by_index = {int(each): word for each, word in found.items()}
    missing = next((i for i in range(len(found)) if i not in by_index), None)
    if missing is not None:
        hint = "ids that are whole numbers must be the benchmark's indices, from 0"
        raise DataError(f"{path}: no prediction for the index {missing}", hint=hint)
    return [by_index[index] for index in range(len(found))]
