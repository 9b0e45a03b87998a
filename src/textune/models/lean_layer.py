"""Decoder layers in two steps, with attention between them.

A layer of transformers with LoRA is dozens of operations of automatic differentiation, which
Python calls one by one; while it does, other threads wait. Here all before attention is one
operation, and all behind it another. What they compute and how they round is that of the layers
one by one (``models.lean_parts``, ``models.lean_lora``), but sums of the residual stream are made
inside the norms. A layer that is more than frozen weights and plain LoRA, or that somebody
watches, computes as its family does.

Legend: T tokens of the row, D width of the model, H heads, d head size; K stretches of tokens with
adapters of their own, mostly 1.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from textune.models import row_wise
from textune.models.adapted_linear import (
    Part,
    adapted_linear,
    adapted_linear_back,
    adapters_of,
    part_of,
)
from textune.models.lean_parts import LeanNorm, LeanUnit

FAMILIES = ("Llama", "Mistral", "Qwen2", "Qwen3")
"""Families of transformers whose decoder layers are written as the one below."""
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
UNIT = ("gate_proj", "up_proj", "down_proj")
READ = 3
"""So many of those read what goes into a layer."""
KEPT = 3 + READ
"""Tensors that these keep for the way back."""


@dataclass(frozen=True)
class Norm:
    """What a norm multiplies by."""

    weight: torch.Tensor
    epsilon: float


@dataclass(frozen=True)
class Plan:
    """What a layer is made of; nothing but adapters trains."""

    norms: tuple[Norm, ...]
    """Before attention, before the gated unit, and of queries and keys where there are any."""
    parts: tuple[Part, ...]
    """Linear layers, in the order of ``ATTENTION`` and ``UNIT``."""
    head_size: int

    def stretched(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows (1, T, I) or (T, I) as stretches (K, T / K, I)."""
        return rows.view(max(1, *(len(part.pairs) for part in self.parts)), -1, rows.shape[-1])


class LeanLayer:
    """Comes before a decoder layer of transformers."""

    self_attn: Any
    mlp: Any
    input_layernorm: Any
    post_attention_layernorm: Any

    def forward(
        self,
        hidden_states: torch.Tensor,
        *,
        position_embeddings: Any = None,
        past_key_values: Any = None,
        **given: Any,
    ) -> torch.Tensor:
        """Hidden states (1, T, D) to the same."""
        attention, states = self.self_attn, hidden_states
        attend = ALL_ATTENTION_FUNCTIONS.get(attention.config._attn_implementation)
        is_row = len(states) == 1 and past_key_values is None and position_embeddings
        plan = self._plan(states.dtype) if is_row else None
        if plan is None or attend is None:
            out: torch.Tensor = super().forward(  # type: ignore[misc]  # the family's
                states,
                position_embeddings=position_embeddings,
                past_key_values=past_key_values,
                **given,
            )
            return out
        adapters = adapters_of(plan.parts)
        *qkv, states = _Before.apply(states, *position_embeddings, plan, *adapters[: 2 * READ])  # type: ignore[no-untyped-call]  # torch's apply
        mixed, _ = attend(
            attention,
            *qkv,
            given.pop("attention_mask", None),
            dropout=attention.attention_dropout if attention.training else 0.0,
            scaling=attention.scaling,
            sliding_window=_window(attention),
            **given,
        )
        mixed = mixed.reshape(states.shape[1], -1)
        done: torch.Tensor = _After.apply(mixed, states, plan, *adapters[2 * READ :])  # type: ignore[no-untyped-call]  # torch's apply
        return done

    def _plan(self, dtype: torch.dtype) -> Plan | None:
        """What it is made of for inputs of a format; None where that is more than it may be."""
        attention, unit = self.self_attn, self.mlp
        if not (type(attention).__name__.endswith("Attention") and isinstance(unit, LeanUnit)):
            return None
        norms: list[Any] = [self.input_layernorm, self.post_attention_layernorm]
        norms += [
            norm for name in ("q_norm", "k_norm") if (norm := getattr(attention, name, None))
        ]
        layers = [getattr(attention, n) for n in ATTENTION] + [getattr(unit, n) for n in UNIT]
        if any(map(_is_watched, (attention, unit, *norms, *layers))):
            return None
        if not all(_is_frozen(norm, dtype) for norm in norms):
            return None
        parts = [part for layer in layers if (part := part_of(layer, dtype))]
        if len(parts) < len(layers):
            return None
        said = tuple(Norm(norm.weight, norm.variance_epsilon) for norm in norms)
        return Plan(said, tuple(parts), attention.head_dim)


def _is_frozen(norm: Any, dtype: torch.dtype) -> bool:
    is_lean = isinstance(norm, LeanNorm)
    return is_lean and norm.weight.dtype == dtype and not norm.weight.requires_grad


def _is_watched(module: nn.Module) -> bool:
    """Whether somebody is told what goes in or out, or has put a function in its place."""
    hooks = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks
    return bool(hooks or module._backward_pre_hooks or "forward" in vars(module))


def _window(attention: Any) -> int | None:
    """How many tokens it sees; the family Mistral says so in its configuration alone."""
    is_mistral = type(attention).__name__ == "MistralAttention"
    return getattr(attention.config if is_mistral else attention, "sliding_window", None)


class _Before(torch.autograd.Function):
    """Norm, queries, keys and values, their positions; hands hidden states on.

    So what goes back to those from behind attention comes along, and is added inside the norm.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_1TD: torch.Tensor,
        cosine: torch.Tensor,
        sine: torch.Tensor,
        plan: Plan,
        *adapters: torch.Tensor | None,
    ) -> tuple[torch.Tensor, ...]:
        norm, _, *of_heads = plan.norms
        normed, scale, _ = row_wise.norm(hidden_1TD, norm.weight, norm.epsilon)
        outs, kept = adapted_linear(plan.stretched(normed), plan.parts[:READ], adapters)
        *asked, values = (out.view(1, normed.shape[1], -1, plan.head_size) for out in outs)
        for place, norm in enumerate(of_heads):
            wide = asked[place]
            asked[place], scale_of_heads, _ = row_wise.norm(wide, norm.weight, norm.epsilon)
            kept = *kept, wide, scale_of_heads
        queries, keys = (row_wise.turned(each, cosine, sine) for each in asked)
        entered = (hidden_1TD, scale) if ctx.needs_input_grad[0] else (None, None)
        ctx.save_for_backward(*entered, cosine, sine, *kept)
        ctx.plan = plan
        return *(each.transpose(1, 2) for each in (queries, keys, values)), hidden_1TD

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, scale, cosine, sine, *kept = ctx.saved_tensors
        plan: Plan = ctx.plan
        norm, _, *of_heads = plan.norms
        *asked, values = (each.transpose(1, 2).contiguous() for each in gradients[:READ])
        asked = [row_wise.turned(each, cosine, sine, -1.0) for each in asked]
        for place, each in enumerate(of_heads):
            wide, scale_of_heads = kept[KEPT + 2 * place :][:2]
            asked[place] = row_wise.norm_back(asked[place], wide, each.weight, scale_of_heads)
        to_outs = [plan.stretched(each.flatten(2)) for each in (*asked, values)]
        needed = ctx.needs_input_grad[0], *ctx.needs_input_grad[4:]
        to_x, back = adapted_linear_back(to_outs, plan.parts[:READ], kept[:KEPT], needed)
        if to_x is not None:
            to_normed, beside = to_x.view_as(hidden), gradients[READ]
            to_x = row_wise.norm_back(to_normed, hidden, norm.weight, scale, beside)
        return to_x, None, None, None, *back


class _After(torch.autograd.Function):
    """What mixes heads, the residual stream, norm, gated unit, and the stream again."""

    @staticmethod
    def forward(
        ctx: Any,
        mixed_TD: torch.Tensor,
        hidden_1TD: torch.Tensor,
        plan: Plan,
        *adapters: torch.Tensor | None,
    ) -> torch.Tensor:
        norm, (mixing, *halves, down) = plan.norms[1], plan.parts[READ:]
        (out,), first = adapted_linear(plan.stretched(mixed_TD), [mixing], adapters[:2])
        out = out.view_as(hidden_1TD)
        normed, scale, summed = row_wise.norm(out, norm.weight, norm.epsilon, hidden_1TD)
        both, second = adapted_linear(plan.stretched(normed), halves, adapters[2:6])
        (out,), third = adapted_linear(row_wise.gated(*both), [down], adapters[6:])
        ctx.save_for_backward(summed, scale, *both, *first, *second, *third)
        ctx.plan = plan
        return out.view_as(hidden_1TD).add_(summed)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        summed, scale, *rest = ctx.saved_tensors
        both, first, second, third = (rest[a:b] for a, b in ((0, 2), (2, 6), (6, 11), (11, 15)))
        plan: Plan = ctx.plan
        (mixing, *halves, down), weight = plan.parts[READ:], plan.norms[1].weight
        to_mixed, _, _, *needed = ctx.needs_input_grad
        gradient = gradient.contiguous()

        def back(to_outs: Any, parts: Any, kept: Any, needed: Any) -> Any:
            return adapted_linear_back([*map(plan.stretched, to_outs)], parts, kept, needed)

        to_inner, of_down = back([gradient], [down], third, [True, *needed[6:]])
        to_both = row_wise.gated_back(to_inner, *both)
        to_x, of_halves = back(to_both, halves, second, [True, *needed[2:6]])
        to_summed = row_wise.norm_back(to_x.view_as(summed), summed, weight, scale, gradient)
        to_mixed, of_mixing = back([to_summed], [mixing], first, [to_mixed, *needed[:2]])
        to_mixed = None if to_mixed is None else to_mixed.view(summed.shape[1], -1)
        return to_mixed, to_summed, None, *of_mixing, *of_halves, *of_down
