"""Greedy decoding of many prompts at once, each kept to what its guide allows.

The prefix that all prompts share is computed once; from then on every prompt brings one token a
step, and leaves when its answer has ended. ``engine.plain.decode`` is the reference.

Legend: S segments (prompts without the shared prefix), L tokens kept of the longest one, P prefix
tokens, K key-value heads, G query heads of one key-value head, D head size, T row tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from textune.engine.attention import register
from textune.engine.by_cells import Rule
from textune.engine.layout import PrefixCache
from textune.models.kernels import kernels_for
from textune.models.softmax import hide

NAME = "textune_decoding"
ROOM = 32
"""Tokens by which the room of segments grows when it is full."""


class Guide(Protocol):
    """What may be written next; one guide follows one answer."""

    def allowed(self) -> torch.Tensor | None:
        """Tokens (A,) that may come next, the end token among them where the answer may end.

        None stands for any token.
        """

    def take(self, token: int) -> bool:
        """Go on by one allowed token; whether the answer may still go on."""


@dataclass
class Segments:
    """Keys and values of the segments' own tokens."""

    prefix: PrefixCache
    lengths_S: torch.Tensor
    """Tokens kept of each segment."""
    layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    """Keys and values (S, K, L, D) of each layer; what is beyond a segment's length is room."""
    _seen: dict[int | None, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    @classmethod
    def of(cls, prefix: PrefixCache, lengths: Sequence[int], row: PrefixCache) -> "Segments":
        """From the keys and values (K, T, D) of a row of segments."""
        device = next(iter(row.layers.values()))[0].device
        lengths_S = torch.tensor(lengths, device=device)
        starts_S = torch.cumsum(lengths_S, 0) - lengths_S
        place_SL = starts_S[:, None] + torch.arange(max(lengths), device=device)
        place_SL = place_SL.clamp(max=sum(lengths) - 1)
        layers = {
            layer: (key[:, place_SL].transpose(0, 1), value[:, place_SL].transpose(0, 1))
            for layer, (key, value) in row.layers.items()
        }
        return cls(prefix, lengths_S, layers)

    @classmethod
    def joined(cls, parts: Sequence["Segments"]) -> "Segments":
        """All of them, one part behind another, with room; the parts are empty afterwards."""
        longest = max(part.longest for part in parts) + ROOM
        layers = {}
        for layer in list(parts[0].layers):
            rows = [part.layers.pop(layer) for part in parts]
            keys, values = (
                torch.cat([functional.pad(x, (0, 0, 0, longest - x.shape[2])) for x in each])
                for each in zip(*rows, strict=True)
            )
            layers[layer] = keys, values
        lengths_S = torch.cat([part.lengths_S for part in parts])
        return cls(parts[0].prefix, lengths_S, layers)

    @cached_property
    def longest(self) -> int:
        """L without room."""
        return int(self.lengths_S.max())

    @property
    def positions_S(self) -> torch.Tensor:
        """Where the next token of each segment stands."""
        return self.prefix.length + self.lengths_S

    def advance(self) -> None:
        """Every segment has got one token more."""
        self._changed(self.lengths_S + 1)

    def keep(self, chosen: Sequence[int]) -> None:
        """Only these segments go on."""
        rows = torch.tensor(chosen, dtype=torch.long, device=self.lengths_S.device)
        self._changed(self.lengths_S[rows])
        self.layers = {i: (keys[rows], values[rows]) for i, (keys, values) in self.layers.items()}

    def add(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
        """Put the newest keys and values (S, K, D) behind those of each segment."""
        rows, keys, values = torch.arange(len(key), device=key.device), *self.layers[layer]
        if self.longest + 1 > keys.shape[2]:
            room = keys.new_zeros((*keys.shape[:2], ROOM, keys.shape[3]))
            keys, values = torch.cat([keys, room], 2), torch.cat([values, room], 2)
            self.layers[layer] = keys, values
        keys[rows, :, self.lengths_S] = key
        values[rows, :, self.lengths_S] = value

    def before(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values (K, P, D) of the prefix."""
        if not self.prefix.layers:
            keys, values = self.layers[layer]
            return keys[0, :, :0], values[0, :, :0]
        return self.prefix.layers[layer]

    def seen(self, window: int | None) -> tuple[torch.Tensor, torch.Tensor]:
        """What the newest tokens see of the prefix (S, P) and of their segments (S, L).

        The same for every layer, so computed once a step.
        """
        if window not in self._seen:
            device, longest = self.lengths_S.device, self.longest + 1
            back_SL = self.lengths_S[:, None] - torch.arange(longest, device=device)
            back_SP = self.positions_S[:, None] - torch.arange(self.prefix.length, device=device)
            nearest = window if window is not None else self.prefix.length + longest + 1
            self._seen[window] = (back_SP < nearest, (back_SL >= 0) & (back_SL < nearest))
        return self._seen[window]

    def _changed(self, lengths_S: torch.Tensor) -> None:
        """Other lengths: what was computed from the old ones is forgotten."""
        self.lengths_S = lengths_S
        self._seen.clear()
        self.__dict__.pop("longest", None)


def decoding_attention(  # noqa: PLR0913  # the signature is that of transformers
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    segments: Segments,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """One new token of every segment: query (1, K*G, S, D), key and value (1, K, S, D).

    Gives (1, S, K*G, D).
    """
    assert attention_mask is None, "segments carry their own mask"
    layer = int(module.layer_idx)  # type: ignore[arg-type]  # an int, torch types it as a module
    rule = Rule.of(query, scaling, softcap)
    segments.add(layer, key[0].transpose(0, 1), value[0].transpose(0, 1))
    heads, size, width = key.shape[1:]
    asked = query[0].transpose(0, 1).reshape(size, heads, -1, width)
    mixed = None
    if sliding_window is None and softcap is None:
        mixed = _attended(asked, segments, layer, rule.scale)
    if mixed is None:
        mixed = _attended_by_torch(asked, segments, layer, rule, sliding_window)
    return mixed.reshape(1, size, -1, width), None


def _attended(
    asked: torch.Tensor, segments: Segments, layer: int, scale: float
) -> torch.Tensor | None:
    """What newest tokens that ask so (S, K, G, D) take; None where nothing is compiled."""
    keys, values = segments.layers[layer]
    asked = asked.contiguous()
    kernels = kernels_for(asked, keys, values)
    if kernels is None:
        return None
    size, heads, groups, width = asked.shape
    known = segments.before(layer)
    by_head = asked.transpose(0, 1).reshape(heads, size * groups, width)
    to_prefix = by_head @ known[0].transpose(-1, -2)
    on_prefix, mixed = torch.empty_like(to_prefix), torch.empty_like(asked)
    arrays = asked, keys, values, segments.lengths_S, to_prefix, on_prefix, mixed
    kernels.run("attend", *arrays, *asked.shape, keys.shape[2], known[0].shape[1], scale)
    shared = on_prefix @ known[1]
    return mixed + shared.view(heads, size, groups, width).transpose(0, 1)


def _attended_by_torch(
    asked: torch.Tensor, segments: Segments, layer: int, rule: Rule, window: int | None
) -> torch.Tensor:
    """The same by torch's operations, for models with a window or a soft cap too."""
    asked, known = asked * rule.scale, segments.before(layer)
    (size, heads, groups, width), prefix = asked.shape, known[0].shape[1]
    keys, values = (part[:, :, : segments.longest + 1] for part in segments.layers[layer])
    before, after = segments.seen(window)
    to_own = hide(rule.capped(asked @ keys.transpose(-1, -2)), after[:, None, None])
    by_head = asked.transpose(0, 1).reshape(heads, size * groups, width)
    to_prefix = rule.capped(by_head @ known[0].transpose(-1, -2))
    to_prefix = to_prefix.view(heads, size, groups, prefix).transpose(0, 1)
    weights = torch.cat([hide(to_prefix, before[:, None, None]), to_own], -1).softmax(-1)
    on_prefix = weights[..., :prefix].transpose(0, 1).reshape(heads, size * groups, prefix)
    shared = (on_prefix @ known[1]).view(heads, size, groups, width)
    mixed: torch.Tensor = weights[..., prefix:] @ values + shared.transpose(0, 1)
    return mixed


@dataclass(frozen=True)
class Free:
    """Lets the model write what it likes, until one of the tokens that end a turn."""

    ends: frozenset[int] = frozenset()
    """Besides the end token of all answers."""

    def allowed(self) -> None:
        """Any token."""

    def take(self, token: int) -> bool:
        """An end is taken, but nothing after it."""
        return token not in self.ends


def ends_of(model: PreTrainedModel) -> frozenset[int]:
    """The tokens that end a turn of a model, as its generation configuration says."""
    ends = model.generation_config.eos_token_id
    return frozenset([ends] if isinstance(ends, int) else ends or [])


def choose(logits_SV: torch.Tensor, guides: Sequence[Guide]) -> list[int]:
    """The likeliest token that each guide allows."""
    chosen: list[int] = logits_SV.argmax(-1).tolist()
    for place, guide in enumerate(guides):
        allowed = guide.allowed()
        if allowed is not None:
            allowed = allowed.to(logits_SV.device)
            chosen[place] = int(allowed[logits_SV[place][allowed].argmax()])
    return chosen


register(NAME, decoding_attention)
