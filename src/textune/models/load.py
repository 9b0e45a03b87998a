"""Weights and tokenizer into memory; one frozen base a worker, and the proof that it stayed.

What is not covered: adapting a model (``methods``) and running it (``engine``).
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch
import transformers
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from textune.core.errors import ModelError
from textune.cost.memory import keep_memory
from textune.models.catalog import ModelSpec, find_model
from textune.models.device import Precision, device_name
from textune.models.fetch import local_folder
from textune.models.kernels import compiled
from textune.models.lean import make_lean
from textune.models.tile_attention import tiles

Quantisation = Literal["none", "nf4"]

transformers.utils.logging.disable_progress_bar()  # progress is the business of who calls us


@dataclass(frozen=True)
class Loaded:
    """A model in memory with its tokenizer."""

    spec: ModelSpec
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def context(self) -> int:
        """Most tokens of one input."""
        return self.spec.most_tokens(self.model.config, self.tokenizer)

    @property
    def num_params(self) -> int:
        """Parameters of the base; 4-bit weights count as the weights that they stand for."""
        return sum(count_params(p) for p in self.model.parameters())


@dataclass
class Pool:
    """Holds at most one base model, lends it, and refuses one that came back altered."""

    _key: tuple[str, str, str] | None = field(default=None, init=False)
    _loaded: Loaded | None = field(default=None, init=False)
    _checksum: int = field(default=0, init=False)

    def borrow(self, spec: ModelSpec, precision: Precision, quantisation: Quantisation) -> Loaded:
        """The model, loaded or still in memory from the last time.

        Raises:
            ModelError: the weights cannot be had or loaded.
        """
        key = (spec.identity, precision, quantisation)
        if self._loaded is None or self._key != key:
            self.drop()
            self._loaded = load_causal(spec, precision, quantisation)
            self._checksum = checksum(self._loaded.model)
            self._key = key
        return self._loaded

    def give_back(self) -> None:
        """Check that the lent base is bit for bit what was loaded; forget it when it is not.

        Raises:
            ModelError: it was altered (a defect of a method; the next cell loads anew).
        """
        if self._loaded is not None and checksum(self._loaded.model) != self._checksum:
            name = self._loaded.spec.name
            self.drop()
            raise ModelError(
                f"the frozen weights of {name} changed during a cell",
                hint="the tuning method alters its base: it must declare changes_base",
            )

    def drop(self) -> None:
        """Forget the model, so that its memory can be used again."""
        self._loaded = None
        self._key = None


def load_causal(spec: ModelSpec, precision: Precision, quantisation: Quantisation) -> Loaded:
    """A causal language model in evaluation mode, nothing of it trainable.

    Raises:
        ModelError: the folder is not a causal model that transformers reads from safetensors.
    """
    folder = local_folder(spec)
    dtype = getattr(torch, precision)
    options = {} if quantisation == "none" else {"quantization_config": nf4_config(dtype)}
    with _explained(spec, folder, "causal language model"):
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, device_map=device_name(), **options
        )
        tokenizer = AutoTokenizer.from_pretrained(folder)
    if quantisation != "none":
        _keep_layout(model)
        _let_file_go(model)
    return Loaded(spec, _lean(model), tokenizer)


def _lean(model: PreTrainedModel) -> PreTrainedModel:
    """With layers that compute leanly, in evaluation mode, nothing of it trainable."""
    make_lean(model)
    if model.device.type == "cpu":
        compiled(model.dtype)  # a few seconds, once a machine: not in somebody's first step
        if model.dtype == torch.bfloat16:
            tiles()  # likewise
        keep_memory()
    return frozen(model)


def _keep_layout(model: nn.Module) -> None:
    """Stop bitsandbytes from packing 4-bit weights anew, in place, when a processor predicts.

    Packed weights predict faster on AVX512-BF16, but no gradient passes them: the next cell could
    not train on this base.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010  # unknown to mypy


def _let_file_go(model: nn.Module) -> None:
    """Copy what was not packed, which is still a view of the weights file in memory.

    One view holds the whole file there, with all weights in 16 bits.
    """
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.clone()


def in_4_bits(model: PreTrainedModel) -> PreTrainedModel:
    """The same, frozen, with its linear layers packed; through a folder, as bitsandbytes asks."""
    with TemporaryDirectory(prefix="textune-") as folder:
        model.save_pretrained(folder)
        packed: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder, dtype=model.dtype, quantization_config=nf4_config(model.dtype)
        )
    _keep_layout(packed)
    return frozen(packed)


def nf4_config(dtype: torch.dtype) -> BitsAndBytesConfig:
    """4-bit NormalFloat with double quantisation (Dettmers et al., 2023, QLoRA, section 3)."""
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def load_encoder(spec: ModelSpec, precision: Precision = "float32") -> Loaded:
    """A sentence encoder in evaluation mode, nothing of it trainable.

    Raises:
        ModelError: the weights cannot be had, or the folder is not an encoder in safetensors.
    """
    folder = local_folder(spec)
    with _explained(spec, folder, "encoder"):
        model = AutoModel.from_pretrained(
            folder,
            dtype=getattr(torch, precision),
            use_safetensors=True,
            device_map=device_name(),
        )
        tokenizer = AutoTokenizer.from_pretrained(folder)
    return Loaded(spec, _lean(model), tokenizer)


@cache
def warm_up_encoder(name: str) -> None:
    """Have libraries imported and the files of an encoder at hand, once in a process.

    Raises:
        ModelError: as ``load_encoder``.
    """
    load_encoder(find_model(name, form="encoder"))


@contextlib.contextmanager
def _explained(spec: ModelSpec, folder: Path, form: str) -> Iterator[None]:
    """What transformers says about a folder that it cannot load, in one line."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"cannot load {spec.name} from {folder}: {reason}",
            hint=f"it must be a whole {form} in safetensors form",
        ) from None


def frozen(model: PreTrainedModel) -> PreTrainedModel:
    """The model in evaluation mode with no parameter that takes a gradient."""
    model.requires_grad_(False)
    model.eval()
    return model


def count_params(parameter: nn.Parameter) -> int:
    """Numbers that a parameter stands for: a packed 4-bit weight holds two a byte."""
    state = getattr(parameter, "quant_state", None)
    return int(torch.Size(state.shape).numel()) if state is not None else parameter.numel()


def checksum(model: nn.Module) -> int:
    """A sum over the bits of all parameters, weighted by position so that swaps show.

    Not cryptographic: it finds accidents, in about 50 ms for 135M parameters.
    """
    total = 0
    for place, parameter in enumerate(model.parameters(), start=1):
        flat = parameter.detach().contiguous().view(-1).view(torch.uint8)
        words = flat[: flat.numel() // 4 * 4].view(torch.int32)
        halves = (words[0::2].sum(dtype=torch.int64), words[1::2].sum(dtype=torch.int64))
        rest = int(flat[words.numel() * 4 :].sum())
        total += place * (int(halves[0]) + 3 * int(halves[1]) + 7 * rest)
    return total
