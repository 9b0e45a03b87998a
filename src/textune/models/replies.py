"""Replies of served models on disk, so that one request is asked, and paid, once."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textune.core import files
from textune.core.config import fingerprint, parse, plain
from textune.core.errors import ConfigError
from textune.core.registry import Spec
from textune.cost.served import ServedTokens

NO_COMPLETION = (ValueError, LookupError, TypeError, AttributeError)
"""What reading raises of something that is no chat completion."""


@dataclass(frozen=True)
class Request:
    """Everything that decides a reply, besides the endpoint."""

    model: str
    messages: tuple[Mapping[str, str], ...]
    settings: Mapping[str, Any]
    """What else is sent: temperature, length, whatever the endpoint knows."""
    draw: int = 0
    """Which of several replies to the same words, where replies are drawn at random."""

    def key(self, url: str) -> str:
        """What names the reply of an endpoint on disk."""
        said = [dict(turn) for turn in self.messages]
        return fingerprint(url, self.model, said, dict(self.settings), self.draw)


@dataclass(frozen=True, kw_only=True)
class Reply(Spec):
    """What an endpoint answered to one request."""

    text: str
    ended: str
    """Why the text ended: ``stop``, ``length`` where it was cut, whatever the endpoint says."""
    tokens: ServedTokens
    model: str
    """What the endpoint calls the model that answered, with its fingerprint if it has one."""
    seconds: float
    """From the request that was answered to the end of its answer."""


def read_reply(content: Any, seconds: float) -> Reply:
    """A reply from the JSON of a chat completion.

    Raises:
        NO_COMPLETION: it is none.
    """
    choice = content["choices"][0]
    usage = content.get("usage") or {}
    named = (content.get("model"), content.get("system_fingerprint"))
    return Reply(
        text=str(choice["message"].get("content") or ""),
        ended=str(choice.get("finish_reason") or ""),
        tokens=ServedTokens(
            input=_count(usage.get("prompt_tokens")), output=_count(usage.get("completion_tokens"))
        ),
        model=" ".join(str(each) for each in named if each),
        seconds=seconds,
    )


@dataclass(frozen=True)
class ReplyCache:
    """A folder of replies, each in a file of its own that is written by rename."""

    folder: Path

    def find(self, key: str) -> Reply | None:
        """The reply that was kept; None where there is none, or its file is damaged."""
        path = self._path(key)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return parse(Reply, content, where=str(path))
        except (OSError, ValueError, ConfigError):
            return None

    def keep(self, key: str, reply: Reply) -> None:
        """Write a reply.

        Raises:
            StoreError: the folder cannot be written.
        """
        files.write_text(self._path(key), json.dumps(plain(reply), ensure_ascii=False))

    @contextlib.contextmanager
    def asking(self, key: str) -> Iterator[None]:
        """A block in which nobody else asks for this, in another thread or process."""
        with files.locked(self.folder / "locks" / key[:3]):
            yield

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def _count(value: object) -> int | None:
    """A number of tokens; what is none is not known."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
