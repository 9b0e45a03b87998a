"""The architecture of a model without its weights: from its configuration alone.

Nothing here is fetched but configuration and tokenizer. A weightless model lives on torch's meta
device: it has every layer and shape of the real one, and no numbers. A tiny one has numbers, and
every feature of the architecture in small.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textune.core.errors import ModelError
from textune.models.catalog import Form, ModelSpec, find_model
from textune.models.device import Precision
from textune.models.fetch import description_folder
from textune.models.rough_tokenizer import RoughTokenizer

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
"""Bits of a 4-bit weight with its scales: 8 bits for each block of 64, and with double
quantisation 32 more for each 256 blocks (Dettmers et al., 2023, QLoRA, section 3): 4.127."""
TINY = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "moe_intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "head_dim": 32,
    "num_experts": 4,
    "num_local_experts": 4,
    "vocab_size": 128,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""Sizes of a tiny model, where its configuration has them; widths hold whole 4-bit blocks."""
WIDTHS = ("hidden_size", "intermediate_size", "moe_intermediate_size", "head_dim")
"""Those of them that are widths."""


@dataclass(frozen=True)
class Architecture:
    """A model's configuration, and models made from it."""

    content: dict[str, Any]
    """What stands in ``config.json``."""

    @property
    def model_type(self) -> str:
        """Name of the architecture in transformers."""
        return str(self.content.get("model_type", "unknown"))

    @cached_property
    def config(self) -> Any:
        """The configuration as transformers reads it.

        Raises:
            ModelError: transformers does not know the architecture.
        """
        from transformers import AutoConfig

        rest = {
            k: v
            for k, v in self.content.items()
            if k not in ("model_type", "transformers_version")
        }
        try:
            return AutoConfig.for_model(self.model_type, **rest)
        except (ValueError, TypeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(
                f"unknown architecture {self.model_type!r}: {reason}",
                hint="a newer transformers may know it",
            ) from None

    @property
    def num_layers(self) -> int:
        """Decoder layers."""
        return int(self.config.get_text_config().num_hidden_layers)

    def weightless(self, precision: Precision) -> "PreTrainedModel":
        """The real model on the meta device, frozen, with the layers that are used in training.

        Raises:
            ModelError: it is no causal language model.
        """
        import torch

        from textune.models.lean import make_lean
        from textune.models.load import frozen

        with torch.device("meta"):
            model = self._causal(self.config, getattr(torch, precision))
        make_lean(model)
        return frozen(model)

    def weightless_encoder(self, precision: Precision) -> "PreTrainedModel":
        """The real encoder on the meta device, frozen.

        Raises:
            ModelError: it is no encoder.
        """
        import torch
        from transformers import AutoModel, PreTrainedModel

        from textune.models.lean import make_lean
        from textune.models.load import frozen

        try:
            with torch.device("meta"):
                model = AutoModel.from_config(self.config, dtype=getattr(torch, precision))
        except (ValueError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(
                f"no encoder of {self.model_type}: {reason}", hint="choose an encoder"
            ) from None
        assert isinstance(model, PreTrainedModel)
        make_lean(model)
        return frozen(model)

    def tiny(self, *, layers: int = 2, times: int = 1) -> "PreTrainedModel":
        """A random model of the same architecture, small, in fp32 on the CPU, frozen.

        ``times`` multiplies its widths.

        Raises:
            ModelError: it is no causal language model.
        """
        return self._random(self._tiny_config(layers, times), "float32")

    def random(self, precision: Precision) -> "PreTrainedModel":
        """A random model on the CPU, frozen, with the layers that are used in training.

        Raises:
            ModelError: it is no causal language model.
        """
        from textune.models.lean import make_lean

        model = self._random(self.config, precision)
        make_lean(model)
        return model

    def _random(self, config: Any, precision: Precision) -> "PreTrainedModel":
        import torch

        from textune.models.load import frozen

        with torch.random.fork_rng(), torch.device("cpu"):
            torch.manual_seed(0)
            return frozen(self._causal(config, getattr(torch, precision)))

    def _causal(self, config: Any, dtype: Any) -> "PreTrainedModel":
        from transformers import AutoModelForCausalLM, PreTrainedModel

        try:
            model = AutoModelForCausalLM.from_config(config, dtype=dtype)
        except (ValueError, KeyError) as error:
            reason = str(error).strip().splitlines()[0]
            hint = "choose a causal language model"
            raise ModelError(
                f"no language model of {self.model_type}: {reason}", hint=hint
            ) from None
        assert isinstance(model, PreTrainedModel)
        return model

    def _tiny_config(self, layers: int, times: int) -> Any:
        """The configuration with small sizes; what is not a size stays as it is."""
        import copy

        config = copy.deepcopy(self.config)
        text = config.get_text_config()
        heads = getattr(text, "num_key_value_heads", None)
        is_grouped = heads is not None and heads < text.num_attention_heads
        sizes = {
            **TINY,
            "num_hidden_layers": layers,
            "num_key_value_heads": 2 if is_grouped else 4,
        }
        sizes |= {name: times * TINY[name] for name in WIDTHS}
        for name, size in sizes.items():
            if getattr(text, name, None) is not None:
                setattr(text, name, size)
        if getattr(text, "layer_types", None):
            kinds = list(dict.fromkeys(text.layer_types))  # every kind of layer, in turn
            text.layer_types = [kinds[i % len(kinds)] for i in range(layers)]
        return config


def find_architecture(spec: ModelSpec) -> Architecture:
    """The architecture of a model of the catalog, without its weights.

    Raises:
        ModelError: its configuration cannot be had or read.
    """
    folder = description_folder(spec)
    if folder is None:
        return Architecture(dict(spec.architecture))
    path = folder / "config.json"
    try:
        return Architecture(dict(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {path}: {error}", hint="the folder is no model") from None


def packed_parameters(model: "PreTrainedModel") -> list["nn.Parameter"]:
    """What bitsandbytes packs into 4 bits: weights of linear layers but the vocabulary's."""
    from torch import nn

    head = model.get_output_embeddings()
    linear = (m for m in model.modules() if isinstance(m, nn.Linear) and m is not head)
    return [p for m in linear for name, p in m.named_parameters() if name == "weight"]


def weight_bytes(model: "nn.Module", packed: Sequence["nn.Parameter"] = ()) -> float:
    """Bytes of a model's weights, counted by its shapes, some of them in 4 bits."""
    few = {id(p) for p in packed}
    return sum(
        p.numel() * (NF4_BITS / 8 if id(p) in few else p.element_size())
        for p in model.parameters()
    )


def find_tokenizer(spec: ModelSpec) -> Any:
    """The tokenizer of a model, or a rough stand-in where none is at hand."""
    from transformers import AutoTokenizer

    folder = description_folder(spec)
    if folder is None or not any(Path(folder).glob("tokenizer*")):
        return RoughTokenizer()
    return AutoTokenizer.from_pretrained(folder)


@dataclass(frozen=True)
class Draft:
    """What planning knows of a model."""

    architecture: Architecture
    tokenizer: Any
    context: int
    """Most tokens of one input."""
    _weightless: dict[str, "PreTrainedModel"] = field(default_factory=dict)

    def weightless(self, precision: Precision) -> "PreTrainedModel":
        """The weightless model, made once; whoever adapts it gives it back as it was."""
        if precision not in self._weightless:
            self._weightless[precision] = self.architecture.weightless(precision)
        return self._weightless[precision]


class Drafts:
    """Models that a plan has looked at, each once."""

    def __init__(self) -> None:
        self._drafts: dict[str, Draft] = {}
        self._tokens: dict[object, list[tuple[int, ...]]] = {}

    def of(self, name: str, *, form: Form = "causal") -> Draft:
        """The draft of a causal model, or of an encoder.

        Raises:
            TextuneError: there is no such model, or its configuration cannot be had.
        """
        if name not in self._drafts:
            spec = find_model(name, form=form)
            architecture, tokenizer = find_architecture(spec), find_tokenizer(spec)
            context = spec.most_tokens(architecture.config, tokenizer)
            self._drafts[name] = Draft(architecture, tokenizer, context)
        return self._drafts[name]

    def tokens(
        self, key: object, make: Callable[[], list[tuple[int, ...]]]
    ) -> list[tuple[int, ...]]:
        """Token lists, made once for each key."""
        if key not in self._tokens:
            self._tokens[key] = make()
        return self._tokens[key]
