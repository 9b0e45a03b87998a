"""Conformance suites and tiny models: what every plug-in promises, as checks that anyone can call.

    from textune.testing import check_method

    def test_my_method() -> None:
        check_method(MyMethod(), tiny_model("llama"))

A check raises AssertionError with the promise that is broken.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from textune.core.config import PluginOf, plain
from textune.engine import plain as plain_path
from textune.engine.causal import CausalEngine
from textune.engine.packing import Item
from textune.methods.base import REGISTRY, Method
from textune.models.load import checksum, frozen

ARCHITECTURES = ("llama", "mistral", "qwen2", "qwen3", "gemma3_text")


def tiny_model(architecture: str, *, seed: int = 0, **changes: Any) -> PreTrainedModel:
    """A random causal model of that architecture in fp32: 2 layers, width 32, grouped heads."""
    settings = {
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 256,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "initializer_range": 0.2,
    }
    config = AutoConfig.for_model(architecture, **{**settings, **changes})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return frozen(model)


def tiny_items(*, seed: int = 0, size: int = 5, shared: int = 7) -> list[Item]:
    """Random items of mixed lengths whose prompts share a prefix; answers of one to three tokens."""
    draw = torch.Generator().manual_seed(seed)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(3, 64, (count,), generator=draw).tolist())

    prefix = tokens(shared)
    return [Item(prefix + tokens(3 + 2 * i), tokens(1 + i % 3)) for i in range(size)]


def engine_of(method: Method, model: PreTrainedModel, adapted: nn.Module) -> CausalEngine:
    """The packed engine of an adapted model, as approaches build it."""
    if method.virtual_tokens(adapted) is None:
        return CausalEngine(model)
    return CausalEngine(model, virtual=lambda: method.virtual_tokens(adapted))  # type: ignore[arg-type, return-value]  # not None, as just asked


def gradients(adapted: nn.Module, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    """Gradient of every trainable parameter by name."""
    named = {n: p for n, p in adapted.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {n: g for n, g in zip(named, found, strict=True) if g is not None}


def check_method(method: Method, model: PreTrainedModel) -> None:
    """Everything that a tuning method promises, on one tiny model."""
    _check_description(method)
    items = tiny_items()
    before = checksum(model)
    reference = _logits(model, items)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        adapted = method.apply(model, [])
    if method.starts_at_base:
        torch.testing.assert_close(_logits(adapted, items), reference, msg="must start at the base")
    engine = engine_of(method, model, adapted)
    if method.packable:
        check_packed_equals_plain(engine, adapted, items)
    losses = _train(engine, adapted, items, lr=method.lr)
    assert losses[-1] < losses[0], f"the loss must fall: {losses[0]:.4f} -> {losses[-1]:.4f}"
    trained = _logits(adapted, items)
    with tempfile.TemporaryDirectory() as folder:
        method.save(adapted, Path(folder))
        files = [p.suffix for p in Path(folder).rglob("*") if p.is_file()]
        assert ".safetensors" in files, "weights must be saved as safetensors"
        assert not {".bin", ".pt", ".pkl"} & set(files), "no pickle in a saved method"
        if not method.changes_base:
            method.release(adapted)
            model.requires_grad_(False)
            assert checksum(model) == before, "release must leave the base as it was"
            torch.testing.assert_close(_logits(model, items), reference)
        loaded = method.load(model, Path(folder)).eval()
        torch.testing.assert_close(_logits(loaded, items), trained, msg="save and load must agree")
        if not method.changes_base:
            method.release(loaded)


def check_packed_equals_plain(
    engine: CausalEngine, adapted: nn.Module, items: Sequence[Item]
) -> None:
    """Loss within 1e-5 and every gradient within 1e-4 (relative) of the padded path, in fp32."""
    packed, padded = engine.answer_loss(items), plain_path.answer_loss(adapted, items)
    gap = abs(packed.item() - padded.item())
    assert gap < 1e-5, f"packed loss {packed.item():.7f}, plain {padded.item():.7f}"
    ours, theirs = gradients(adapted, packed), gradients(adapted, padded)
    assert ours, "nothing takes a gradient"
    assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
    for name, gradient in theirs.items():
        error = (ours[name] - gradient).norm() / gradient.norm().clamp_min(1e-6)
        assert error < 1e-4, f"gradient of {name}: relative error {error:.2e}"


def _check_description(method: Method) -> None:
    assert is_dataclass(method), "a method is a frozen dataclass"
    assert PluginOf(REGISTRY).build(plain(method), where="check") == method, "must round-trip"
    assert method.paper, "must cite a paper"
    assert 0 < method.lr < 10, "needs a default learning rate"
    assert method.served_by, "must say how it is served"


def _train(
    engine: CausalEngine, adapted: nn.Module, items: Sequence[Item], *, lr: float
) -> list[float]:
    trainable = [p for p in adapted.parameters() if p.requires_grad]
    assert trainable, "trains nothing"
    optimizer = torch.optim.AdamW(trainable, lr=lr)
    losses = []
    adapted.train()
    for _ in range(12):
        loss = engine.answer_loss(items)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's is untyped
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    adapted.eval()
    return losses


@torch.no_grad()
def _logits(model: nn.Module, items: Sequence[Item]) -> torch.Tensor:
    """Logits of the first item's own tokens."""
    ids = torch.tensor([items[0].prompt])
    logits: torch.Tensor = model(input_ids=ids).logits[:, -ids.shape[1] :]
    return logits.clone()
