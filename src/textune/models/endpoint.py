"""An OpenAI-compatible endpoint: requests in, replies out, in their order.

The key comes from the environment. It goes to the endpoint and nowhere else: not into a file, a
message or a log. A study file or bundle of somebody else cannot send a key to an address of its
choice, as the variable that holds it is named after the address.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from textune.core.errors import ConfigError, ModelError
from textune.cost.meter import count_served
from textune.models.replies import NO_COMPLETION, Reply, ReplyCache, Request, read_reply

if TYPE_CHECKING:
    from openai import OpenAI

PUBLIC_URL = "https://api.openai.com/v1"
URL_VARIABLE = "OPENAI_BASE_URL"
KEY_VARIABLE = "OPENAI_API_KEY"
NO_KEY = "none"
"""What is sent without a key: many servers of one's own want none."""
MAX_SAID = 300
"""Letters of an endpoint's own words in a message."""


def usual_url() -> str:
    """The endpoint of ``$OPENAI_BASE_URL``, or the public one."""
    return os.environ.get(URL_VARIABLE) or PUBLIC_URL


def check_url(url: str) -> None:
    """Refuse what is no address, and one that holds a secret: addresses are written down.

    Raises:
        ConfigError: without showing the address.
    """
    hint = "for example http://localhost:8000/v1; a key belongs into the environment"
    try:
        parts = urlsplit(url)
    except ValueError:  # which shows the address
        raise ConfigError("the url of an endpoint is no address", hint=hint) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("the url of an endpoint begins with http:// or https://", hint=hint)
    if parts.username or parts.password or parts.query or parts.fragment:
        what = "the url of an endpoint has no user, password or question mark"
        raise ConfigError(what, hint=hint)


def key_variable(url: str) -> str:
    """The environment variable with the key of an endpoint.

    ``OPENAI_API_KEY`` is for the usual endpoint alone. Others have their own: dots of the host
    become ``_``, hyphens ``__``, so that no two hosts share one.
    """
    if url.rstrip("/") == usual_url().rstrip("/"):
        return KEY_VARIABLE
    host = (urlsplit(url).hostname or "").upper()
    return "TEXTUNE_KEY_" + re.sub(r"[^A-Z0-9]", "_", host.replace("-", "__"))


@dataclass
class Pace:
    """No more than so many requests a minute, evenly spaced; for all threads together."""

    per_minute: int | None
    """None: as many as may be."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _next: float = field(default=0.0, init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def wait(self) -> None:
        """Return when the next request may be sent."""
        if self.per_minute is None:
            return
        with self._turn:
            now = self.clock()
            start = max(now, self._next)
            self._next = start + 60 / self.per_minute
        self.sleep(start - now)


@dataclass(frozen=True)
class Endpoint:
    """Where served models are asked, and how patiently."""

    url: str
    cache: ReplyCache
    pace: Pace
    concurrency: int
    """Requests at the same time."""
    timeout: float
    """Seconds of one attempt."""
    retries: int
    """Attempts after the first, with growing pauses, where a later one may have more luck."""

    def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Replies in the order of the requests; what is on disk, or repeated, is not asked again.

        The work is counted as if nothing had been on disk.

        Raises:
            ModelError: the endpoint cannot be reached or refuses; what was answered is kept.
            StoreError: the cache cannot be written.
        """
        keys = [request.key(self.url) for request in requests]
        wanted = dict(zip(keys, requests, strict=True))
        known = {key: reply for key in wanted if (reply := self.cache.find(key)) is not None}
        missing = {key: request for key, request in wanted.items() if key not in known}
        replies = known | (self._asked(missing) if missing else {})
        for key, reply in replies.items():
            spared = reply.seconds / min(self.concurrency, len(replies)) if key in known else 0.0
            count_served(wanted[key].model, reply.tokens, spared_seconds=spared)
        return [replies[key] for key in keys]

    def _asked(self, requests: dict[str, Request]) -> dict[str, Reply]:
        key = self._key()
        with self._client(key) as client, ThreadPoolExecutor(self.concurrency) as pool:

            def ask(name: str) -> Reply:
                return self._one(client, name, requests[name], key)

            return dict(zip(requests, pool.map(ask, requests), strict=True))

    def _one(self, client: "OpenAI", name: str, request: Request, key: str) -> Reply:
        import openai

        with self.cache.asking(name):
            reply = self.cache.find(name)
            if reply is None:  # nobody else was faster
                try:
                    reply = _sent(client, request)
                except (openai.OpenAIError, *NO_COMPLETION) as error:
                    raise self._explained(error, request, key) from None
                self.cache.keep(name, reply)
        return reply

    def _client(self, key: str) -> "OpenAI":
        """The library that sends, and sends again; each attempt keeps to the pace."""
        from openai import DefaultHttpxClient, OpenAI

        return OpenAI(
            api_key=key,
            base_url=self.url,
            timeout=self.timeout,
            max_retries=self.retries,
            http_client=DefaultHttpxClient(event_hooks={"request": [lambda _: self.pace.wait()]}),
        )

    def _key(self) -> str:
        """The key, or what is sent without one.

        Raises:
            ConfigError: the variable holds what cannot be a key; does not show it.
        """
        variable = key_variable(self.url)
        key = os.environ.get(variable, "").strip()
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise ConfigError(f"${variable} holds no key", hint="letters, digits and signs only")
        return key or NO_KEY

    def _explained(self, error: Exception, request: Request, key: str) -> ModelError:
        """One line and a hint for what went wrong."""
        import openai

        variable = key_variable(self.url)
        said = _words_of(error)
        said = said.replace(key, "***")[:MAX_SAID] if key != NO_KEY else said[:MAX_SAID]
        what, hint = f"the endpoint {self.url} does not answer as one", "does the url end in /v1?"
        match error:
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                what = f"the endpoint {self.url} refuses the key"
                hint = f"set ${variable} to a key of this endpoint"
            case openai.NotFoundError():
                what = f"the endpoint {self.url} knows no model {request.model!r}"
                hint = "check the name, and that the url ends in /v1"
            case openai.RateLimitError():
                what = f"the endpoint {self.url} wants fewer requests"
                hint = "set requests_per_minute or a lower concurrency; " + _KEPT
            case openai.APITimeoutError():
                what = f"the endpoint {self.url} took more than {self.timeout:g} seconds"
                hint = "raise timeout, or lower concurrency; " + _KEPT
            case openai.APIConnectionError():
                what = f"cannot reach the endpoint {self.url}"
                hint = f"start the server, or set url or ${URL_VARIABLE}; " + _KEPT
            case openai.InternalServerError():
                what, hint = f"the endpoint {self.url} fails", _KEPT
            case openai.APIStatusError():
                what = f"the endpoint {self.url} refuses the request"
                hint = "see max_tokens, temperature and extra; or a text is too long for the model"
        return ModelError(f"{what}: {said}" if said else what, hint=hint)


_KEPT = "what was answered is kept, run again"


def _sent(client: "OpenAI", request: Request) -> Reply:
    messages: Any = [dict(turn) for turn in request.messages]
    raw = client.chat.completions.with_raw_response.create(
        model=request.model, messages=messages, extra_body=dict(request.settings)
    )
    response = raw.http_response
    return read_reply(response.json(), response.elapsed.total_seconds())


def _words_of(error: Exception) -> str:
    """What an endpoint says about a failure, on one line."""
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail") or ""
    return " ".join(str(body or "").split())
