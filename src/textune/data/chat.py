"""Records of instruction data as rows: what was asked, and the last answer.

The three usual forms become the same four fields: ``instruction`` (what holds for every input, if
it stands apart), ``input``, ``text`` (both, an empty line between them) and ``label`` (the
answer). Of a longer conversation all turns before the last answer are the input, each after the
name of its speaker.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textune.core.errors import DataError
from textune.data.json_records import json_records
from textune.data.readers.base import Row

USER, ASSISTANT, SYSTEM = "user", "assistant", "system"
Turn = tuple[str, str]
"""Role and words."""


@dataclass(frozen=True, kw_only=True)
class AlpacaKeys:
    """Where a record has instruction, input and answer; an empty name: nowhere."""

    instruction: str = "instruction"
    input: str = "input"
    answer: str = "output"
    system: str = "system"
    history: str = "history"

    def row(self, record: Mapping[str, Any]) -> Row:
        """The fields of a record.

        Raises:
            DataError: a part is missing or no text.
        """
        system = _text(record.get(self.system), self.system)
        asked = _text(_needed(record, self.instruction), self.instruction)
        given = _text(record.get(self.input), self.input)
        answer = _needed(record, self.answer)
        earlier = list(_earlier(record.get(self.history) or [], self.history))
        if earlier:
            return _row(system, _dialogue([*earlier, (USER, _joined(asked, given))]), answer)
        return _row(_joined(system, asked), given, answer)


@dataclass(frozen=True, kw_only=True)
class TurnKeys:
    """Where a record has its turns, and what they call role, words and speakers."""

    turns: str
    role: str
    words: str
    user: str
    assistant: str
    system: str = "system"
    system_column: str = "system"
    """The column of a system prompt outside of the turns."""

    def row(self, record: Mapping[str, Any]) -> Row:
        """The fields of a record.

        Raises:
            DataError: a turn is not built so, or the last one is no answer.
        """
        turns = [self._turn(turn) for turn in _list(_needed(record, self.turns), self.turns)]
        if not turns or turns[-1][0] != ASSISTANT:
            what = f"the last turn is not that of the {self.assistant!r}"
            raise DataError(what, hint="the last turn is taken for the answer")
        outside = _text(record.get(self.system_column), self.system_column)
        systems = [words for role, words in turns if role == SYSTEM]
        asked = [turn for turn in turns[:-1] if turn[0] != SYSTEM]
        if not asked:
            raise DataError("nothing is asked", hint=f"a turn of the {self.user!r} comes first")
        return _row(_joined(outside, *systems), _dialogue(asked), turns[-1][1])

    def _turn(self, turn: Any) -> Turn:
        if not isinstance(turn, Mapping):
            hint = f"a turn has the keys {self.role!r} and {self.words!r}"
            raise DataError(f"a turn is a {type(turn).__name__}", hint=hint)
        roles = {self.user: USER, self.assistant: ASSISTANT, self.system: SYSTEM}
        role = _needed(turn, self.role)
        if role not in roles:
            hint = f"read are {', '.join(map(repr, roles))}; leave others out"
            raise DataError(f"a turn of the role {role!r}", hint=hint)
        return roles[role], _words(_needed(turn, self.words), self.words)


MESSAGES = TurnKeys(turns="messages", role="role", words="content", user=USER, assistant=ASSISTANT)
SHAREGPT = TurnKeys(
    turns="conversations", role="from", words="value", user="human", assistant="gpt"
)


def chat_rows(path: Path, keys: AlpacaKeys | TurnKeys) -> Iterator[tuple[int, Row]]:
    """Yield (number of the record, its fields) of a JSON file.

    Raises:
        DataError: names the file and the record.
    """
    return converted(json_records(path), keys, place=f"{path}, record")


def converted(
    records: Iterable[tuple[int, Mapping[str, Any]]], keys: AlpacaKeys | TurnKeys, *, place: str
) -> Iterator[tuple[int, Row]]:
    """Yield (number, fields) of records; ``place`` and the number name one in errors.

    Raises:
        DataError: a record is not built so.
    """
    for number, record in records:
        try:
            yield number, keys.row(record)
        except DataError as error:
            raise DataError(f"{place} {number}: {error.message}", hint=error.hint) from None


def _row(instruction: str, given: str, answer: object) -> Row:
    text = _joined(instruction, given)
    return {"instruction": instruction, "input": given, "text": text, "label": answer}


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _dialogue(turns: Sequence[Turn]) -> str:
    """One turn as it stands, several each after its speaker."""
    if len(turns) == 1:
        return turns[0][1]
    return "\n".join(f"{role}: {words}" for role, words in turns)


def _earlier(history: Any, column: str) -> Iterator[Turn]:
    for pair in _list(history, column):
        if not isinstance(pair, list) or len(pair) != 2:
            hint = "write [[question, answer], ...]"
            raise DataError(f"the column {column!r} lists no pairs", hint=hint)
        yield USER, _text(pair[0], column)
        yield ASSISTANT, _text(pair[1], column)


def _needed(record: Mapping[str, Any], key: str) -> Any:
    if key not in record:
        raise DataError(f"no {key!r}", hint=f"found: {', '.join(map(str, record)) or 'nothing'}")
    return record[key]


def _list(value: Any, column: str) -> list[Any]:
    if not isinstance(value, list):
        what = f"{column!r} holds a value of type {type(value).__name__}, not a list"
        raise DataError(what, hint="is it another format?")
    return value


def _text(value: Any, column: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        what = f"{column!r} holds a value of type {type(value).__name__}, not text"
        raise DataError(what, hint="write a string")
    return value


def _words(value: Any, column: str) -> str:
    """The words of a turn, which may be listed in parts of the type ``text``."""
    if not isinstance(value, list):
        return _text(value, column)
    parts = [part if isinstance(part, Mapping) else {} for part in value]
    if any(part.get("type") != "text" for part in parts):
        raise DataError("a turn holds more than text", hint="images and sounds are not read")
    return "".join(_text(part.get("text"), column) for part in parts)
