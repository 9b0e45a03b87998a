"""Whether a method works on a model, found out before any weights are loaded; remembered on disk.

The method is applied to the weightless model, where sizes show, and trained for one step on a tiny
model of the same architecture, in 4 bits where it wants that.
"""

import contextlib
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from textune.core import files
from textune.core.config import fingerprint
from textune.core.errors import ImpossibleError, StoreError, TextuneError
from textune.methods.base import Method
from textune.models.architecture import Architecture, find_architecture
from textune.models.catalog import find_model
from textune.models.fetch import cache_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_OTHER = "choose another method, or options that fit this model"
REVISION = 1
"""Raised when a probe asks for more, so that old answers are not believed."""
WIDER = 4
"""How many times wider the last tiny model is."""


@dataclass(frozen=True)
class _Reason:
    """Why something does not work."""

    message: str
    hint: str


def check(method: Method, model: str) -> None:
    """Refuse a method that cannot train on a model of the catalog.

    Raises:
        ImpossibleError: says why.
        TextuneError: there is no such model, or its configuration cannot be had.
    """
    if method.quantisation != "none" and not method.quantised_base:
        raise ImpossibleError(
            f"{method.name} asks for a base in 4 bits and does not work on one",
            hint="leave the base as it is, or choose qlora",
        )
    architecture = find_architecture(find_model(model))
    path = cache_folder() / "probes" / f"{_name(method, architecture)}.json"
    known, reason = _recall(path)
    if not known:
        reason = _tried(method, architecture)
        with contextlib.suppress(StoreError):  # a cache that cannot be written is no cache
            content = {"message": reason.message, "hint": reason.hint} if reason else None
            files.write_text(path, json.dumps({"refused": content}))
    if reason is not None:
        raise ImpossibleError(reason.message, hint=reason.hint)


def _name(method: Method, architecture: Architecture) -> str:
    libraries = [version(name) for name in ("textune", "torch", "transformers", "peft")]
    return fingerprint(REVISION, method, architecture.content, libraries)


def _recall(path: Path) -> tuple[bool, _Reason | None]:
    """Whether the answer is known, and the answer."""
    try:
        refused = json.loads(path.read_text(encoding="utf-8"))["refused"]
        return True, _Reason(**refused) if refused else None
    except (OSError, ValueError, KeyError, TypeError):
        return False, None


def _tried(method: Method, architecture: Architecture) -> _Reason | None:
    """None when it works. What a tiny model is too small for is tried on larger ones."""
    with _quiet():
        reason = _fits(method, architecture)
        if reason is not None:
            return reason
        for sizes in ({}, {"layers": architecture.num_layers}, {"times": WIDER}):
            found = _trains(method, architecture.tiny(**sizes))
            if found is None:
                return None
            reason = reason or found
    return reason


def _fits(method: Method, architecture: Architecture) -> _Reason | None:
    """The real shapes; what only fails for want of numbers is left to the tiny model."""
    from textune.engine.forecast import weightless_layers

    model = architecture.weightless("bfloat16")
    try:
        with weightless_layers(model.dtype):
            method.apply(model, [])
    except TextuneError as error:
        return _Reason(error.message, error.hint)
    except ValueError as error:
        return _Reason(_line(method, architecture.model_type, error), _OTHER)
    except Exception:  # for want of numbers, or it will show on the tiny model too
        return None
    return None


def _trains(method: Method, model: "PreTrainedModel") -> _Reason | None:
    """One step on a tiny model: the loss has a gradient for something that trains."""
    from textune.engine import plain
    from textune.engine.packing import Item
    from textune.models.load import in_4_bits

    items = [Item((5, 6, 7, 8 + i, 9), (10 + i, 2)) for i in range(3)]
    model_type = model.config.model_type
    try:
        if method.quantisation == "nf4":
            model = in_4_bits(model)
        adapted = method.apply(model, [])
        if method.packable:
            loss = method.engine(model, adapted).answer_loss(items)
        else:
            loss = plain.answer_loss(adapted, items)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        trained = [p for p in adapted.parameters() if p.requires_grad]
        if not any(p.grad is not None for p in trained):
            return _Reason(f"{method.name} trains nothing on {model_type}", _OTHER)
    except TextuneError as error:
        return _Reason(error.message, error.hint)
    except Exception as error:
        return _Reason(_line(method, model_type, error), _OTHER)
    return None


def _line(method: Method, model_type: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{method.name} does not work on {model_type}: {reason}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """A block whose random numbers and warnings concern nobody else."""
    import torch

    with torch.random.fork_rng(), warnings.catch_warnings():
        torch.manual_seed(0)
        warnings.simplefilter("ignore")
        yield
