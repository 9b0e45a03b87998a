"""LLaMA-Factory's list of data sets, ``dataset_info.json``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textune.core.errors import DataError, did_you_mean
from textune.data.chat import SHAREGPT, AlpacaKeys, TurnKeys, converted
from textune.data.json_records import json_content
from textune.data.readers.base import Reader, Row, file_and_part, reader_for

UNREAD = ("script_url", "ms_hub_url", "om_hub_url", "cloud_file_name", "folder")
"""Keys of entries whose data lie where we do not look, or are made by code."""
UNREAD_COLUMNS = ("tools", "images", "videos", "audios", "chosen", "rejected", "kto_tag")


@dataclass(frozen=True, kw_only=True)
class DatasetInfo(Reader):
    """An entry of LLaMA-Factory's list of data sets: ``dataset_info.json#name``.

    Its file, or data set of the Hub, is read as the entry says (``formatting``, ``columns``,
    ``tags``); the fields are those of the format ``alpaca``. ``num_samples`` is not applied.
    """

    suffixes: ClassVar[tuple[str, ...]] = ("dataset_info.json",)
    unit: ClassVar[str] = "record"

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (number of the record, its fields).

        Raises:
            DataError: there is no such entry, it asks for what is not read, or a record is bad.
        """
        file, name = file_and_part(path)
        entry = _entry(file, name)
        place = f"{file}#{name}"
        source = _source(file.parent, entry, place)
        reader = reader_for(source)
        if isinstance(reader, DatasetInfo):
            raise DataError(f"{place}: its file is a list of data sets", hint="name a data file")
        records = reader.rows(source)
        return converted(records, _keys(entry, place), place=f"{source}, {reader.unit}")


def _entry(file: Path, name: str) -> dict[str, Any]:
    content = json_content(file)
    entries = content if isinstance(content, dict) else {}
    if not isinstance(entries.get(name), dict):
        asked = f"no data set {name!r}" if name else "which data set?"
        hint = f"write {file.name}#name; {did_you_mean(name, entries)}"
        raise DataError(f"{file}: {asked}", hint=hint)
    return dict(entries[name])


def _source(folder: Path, entry: Mapping[str, Any], place: str) -> Path:
    hint = "give a file_name, or an hf_hub_url"
    if unread := [key for key in UNREAD if entry.get(key)]:
        raise DataError(f"{place}: {unread[0]!r} is not read", hint=hint)
    if entry.get("hf_hub_url"):
        config = f":{entry['subset']}" if entry.get("subset") else ""
        return Path(f"hub:{entry['hf_hub_url']}{config}#{entry.get('split', 'train')}")
    if not isinstance(entry.get("file_name"), str):
        raise DataError(f"{place}: no 'file_name'", hint=hint)
    return folder / str(entry["file_name"])


def _keys(entry: Mapping[str, Any], place: str) -> AlpacaKeys | TurnKeys:
    columns, tags = _mapping(entry, "columns", place), _mapping(entry, "tags", place)
    unread = [key for key in UNREAD_COLUMNS if columns.get(key)]
    if entry.get("ranking") or unread:
        what = f"the column {unread[0]!r}" if unread else "a ranking"
        hint = "read are data sets of one question and one answer, all text"
        raise DataError(f"{place}: {what} is not read", hint=hint)
    formatting = entry.get("formatting", "alpaca")
    if formatting == "alpaca":
        return AlpacaKeys(
            instruction=columns.get("prompt", "instruction"),
            input=columns.get("query", "input"),
            answer=columns.get("response", "output"),
            system=columns.get("system", ""),
            history=columns.get("history", ""),
        )
    if formatting != "sharegpt":
        hint = "formatting is alpaca or sharegpt"
        raise DataError(f"{place}: unknown formatting {formatting!r}", hint=hint)
    return TurnKeys(
        turns=columns.get("messages", SHAREGPT.turns),
        role=tags.get("role_tag", SHAREGPT.role),
        words=tags.get("content_tag", SHAREGPT.words),
        user=tags.get("user_tag", SHAREGPT.user),
        assistant=tags.get("assistant_tag", SHAREGPT.assistant),
        system=tags.get("system_tag", SHAREGPT.system),
        system_column=columns.get("system", ""),
    )


def _mapping(entry: Mapping[str, Any], key: str, place: str) -> dict[str, str]:
    found = entry.get(key) or {}
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise DataError(f"{place}: {key!r} is no mapping of names", hint="write {key: name}")
    return found
