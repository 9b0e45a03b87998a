"""Conformance suites and tiny models: what every plug-in promises, as checks that anyone can call.

    from textune.testing import check_method

    def test_my_method() -> None:
        check_method(MyMethod(), tiny_model("llama"))

A check raises AssertionError with the promise that is broken.
"""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from textune.approaches import base as approaches
from textune.approaches.base import Approach, Context, Predictor
from textune.core.config import PluginOf, plain
from textune.data.examples import Example
from textune.engine import plain as plain_path
from textune.engine.causal import CausalEngine
from textune.engine.packing import Item
from textune.methods.base import REGISTRY, Method
from textune.models.load import checksum, frozen
from textune.tasks.base import TaskSpec

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


def tiny_model_folder(folder: Path, texts: Iterable[str], *, architecture: str = "llama") -> Path:
    """A folder with a tiny random model and a word tokenizer over these texts, with chat turns.

    Any approach takes it as its ``model``; nothing is downloaded.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    specials = ["<pad>", "<start>", "<end>", "<unk>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<start>",
        eos_token="<end>",
        unk_token="<unk>",
        chat_template=(
            "{% for m in messages %}<start>{{ m['role'] }} {{ m['content'] }}<end>{% endfor %}"
            "{% if add_generation_prompt %}<start>assistant {% endif %}"
        ),
    )
    sizes = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 32}  # 4-bit blocks are 64
    model = tiny_model(architecture, vocab_size=len(fast), max_position_embeddings=1024, **sizes)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def tiny_items(*, seed: int = 0, size: int = 5, shared: int = 7) -> list[Item]:
    """Random items of mixed lengths that share a prefix; answers of one to three tokens."""
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
    found = torch.autograd.grad(loss, list(named.values()))
    return dict(zip(named, found, strict=True))


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
        torch.testing.assert_close(
            _logits(adapted, items), reference, msg="must start at the base"
        )
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


def check_approach(approach: Approach, task: TaskSpec, examples: Sequence[Example]) -> None:
    """Everything that an approach promises, on labelled examples of a task it can do.

    Two thirds train, the rest is predicted without gold answers.
    """
    assert is_dataclass(approach), "an approach is a frozen dataclass"
    built = PluginOf(approaches.REGISTRY).build(plain(approach), where="check")
    assert built == approach, "must round-trip"
    approach.check(task)
    cut = 2 * len(examples) // 3
    train, test = examples[:cut], [replace(e, answer=None) for e in examples[cut:]]
    first = _fitted(approach, task, train)
    said = first.predict(test)
    assert len(said) == len(test), "one answer an example, in order"
    assert set(said.answers) <= {*task.labels, None}, "answers are labels, or None if unreadable"
    if said.scores is not None:
        assert said.scores.shape == (len(test), len(task.labels)), "a score for each label"
        np.testing.assert_allclose(said.scores.sum(1), 1, atol=1e-5)
    backwards = first.predict(test[::-1])
    assert backwards.answers == said.answers[::-1], "an answer must not depend on its neighbours"
    assert first.predict([]).answers == [], "no examples, no answers"
    with tempfile.TemporaryDirectory() as folder:
        first.save(Path(folder))
        files = {p.suffix for p in Path(folder).rglob("*") if p.is_file()}
        assert not {".bin", ".pt", ".pkl", ".joblib"} & files, "no pickle in a saved approach"
        first.close()
        loaded = approach.load(task, Path(folder), context=Context())
        _assert_same(loaded.predict(test), said, "save and load must agree")
        loaded.close()
    again = _fitted(approach, task, train)
    _assert_same(again.predict(test), said, "one seed must give one result")
    again.close()


def _fitted(approach: Approach, task: TaskSpec, train: Sequence[Example]) -> Predictor:
    return approach.fit(task, train, [], seed=0, context=Context())


def _assert_same(found: Any, expected: Any, promise: str) -> None:
    assert found.answers == expected.answers, promise
    if expected.scores is not None:
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5, err_msg=promise)


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
