"""What every tuning method promises, as a check."""

import contextlib
import copy
import tempfile
from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel

from textune.core.config import PluginOf, plain
from textune.engine import plain as plain_path
from textune.engine.packing import Item
from textune.methods.base import REGISTRY, Method
from textune.models.load import checksum
from textune.models.side_by_side import is_stackable
from textune.testing.models import tiny_items, tiny_quantised_model
from textune.testing.paths import check_packed_equals_plain
from textune.training.loop import Trainee, Watch, train
from textune.training.settings import TrainingSpec

FALLING = TrainingSpec(epochs=12, batch_size=5)
STOPPED = TrainingSpec(epochs=2, batch_size=2)


def check_method(method: Method, model: PreTrainedModel) -> None:
    """Everything that a tuning method promises, on one tiny model, which stays as it was.

    It reads back from its description, starts at the base if it says so, runs packed if it says
    so, trains what it says and nothing else, saves and loads without pickle, gives the base back,
    merges, works in 4 bits if it says so, and goes on from a checkpoint as if never stopped.
    """
    _check_description(method)
    base = copy.deepcopy(model)
    items = tiny_items()
    reference, before = _logits(base, items), checksum(base)
    adapted = _applied(method, base)
    if method.starts_at_base:
        _assert_close(_logits(adapted, items), reference, "must start at the base")
    if method.packable:
        check_packed_equals_plain(method.engine(base, adapted), adapted, items)
    _check_training(method, base, adapted, items)
    if method.stackable:
        assert is_stackable(adapted), "must train plain LoRA alone"
    trained = _logits(adapted, items)
    with tempfile.TemporaryDirectory() as folder:
        _check_saving(method, adapted, Path(folder))
        if not method.changes_base:
            method.release(adapted)
            base.requires_grad_(False)
            assert checksum(base) == before, "release must leave the base as it was"
            _assert_close(_logits(base, items), reference, "release must leave the base as it was")
        loaded = method.load(base, Path(folder)).eval()
    _assert_close(_logits(loaded, items), trained, "save and load must agree")
    if method.mergeable:
        _check_merging(method, loaded, model, items)
    if method.quantised_base:
        _check_quantised(method, model.config.model_type, items)
    _check_resuming(method, model, items)


def _check_description(method: Method) -> None:
    assert is_dataclass(method), "a method is a frozen dataclass"
    assert PluginOf(REGISTRY).build(plain(method), where="check") == method, "must round-trip"
    assert method.paper, "must cite a paper"
    assert 0 < method.lr < 10, "needs a default learning rate"
    assert method.served_by, "must say how it is served"


def _check_training(
    method: Method, base: PreTrainedModel, adapted: nn.Module, items: Sequence[Item]
) -> None:
    """The loss falls; what takes a gradient moves, and nothing else does."""
    moving = {name for name, p in adapted.named_parameters() if p.requires_grad}
    assert moving, "trains nothing"
    before = {name: tensor.clone() for name, tensor in _tensors(adapted).items()}
    changed: set[str] = set()

    def look(*_: object) -> None:
        """After each step: what is pruned in the end has moved before."""
        now = _tensors(adapted)
        changed.update(name for name in now if not torch.equal(now[name], before[name]))

    losses = _trained(method, base, adapted, items, FALLING, Watch(look))
    assert losses[-1] < losses[0], f"the loss must fall: {losses[0]:.4f} -> {losses[-1]:.4f}"
    assert changed <= moving, f"changed without being trainable: {sorted(changed - moving)}"
    assert moving <= changed, f"trainable but never changed: {sorted(moving - changed)}"


def _check_saving(method: Method, adapted: nn.Module, folder: Path) -> None:
    method.save(adapted, folder)
    files = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert ".safetensors" in files, "weights must be saved as safetensors"
    assert not {".bin", ".pt", ".pkl"} & files, "no pickle in a saved method"


def _check_merging(
    method: Method, adapted: nn.Module, plain_model: PreTrainedModel, items: Sequence[Item]
) -> None:
    """Merged is the plain architecture again, with the outputs of the adapted model."""
    expected = _logits(adapted, items)
    merged = method.merge(adapted)
    assert type(merged) is type(plain_model), "merging must give a plain model"
    names = [{name for name, _ in each.named_parameters()} for each in (merged, plain_model)]
    assert names[0] == names[1], f"merging must give a plain model: {names[0] ^ names[1]}"
    _assert_close(_logits(merged, items), expected, "merging must change nothing", tolerance=1e-4)


def _check_quantised(method: Method, architecture: str, items: Sequence[Item]) -> None:
    base = tiny_quantised_model(architecture)
    before = checksum(base)
    adapted = _applied(method, base)
    losses = _trained(method, base, adapted, items, FALLING)
    assert losses[-1] < losses[0], f"in 4 bits the loss must fall: {losses[0]} -> {losses[-1]}"
    assert _logits(adapted, items).isfinite().all(), "outputs in 4 bits must be finite"
    method.release(adapted)
    assert checksum(base) == before, "release must leave a 4-bit base as it was"


class _Stopped(Exception):
    """Stands for a kill in the middle of training."""


def _check_resuming(method: Method, model: PreTrainedModel, items: Sequence[Item]) -> None:
    """Stopped in the middle and taken up again: the same weights, bit for bit."""

    def stop(done: int, total: int, _: float) -> None:
        if done == total // 2:
            raise _Stopped

    expected = _trained_weights(method, model, items, Watch())
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.suppress(_Stopped):
            _trained_weights(method, model, items, Watch(stop, Path(folder), seconds=0.0))
        found = _trained_weights(method, model, items, Watch(folder=Path(folder), seconds=0.0))
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), f"{name} differs after training was taken up"


def _trained_weights(
    method: Method, model: PreTrainedModel, items: Sequence[Item], watch: Watch
) -> dict[str, torch.Tensor]:
    base = copy.deepcopy(model)
    adapted = _applied(method, base)
    _trained(method, base, adapted, items, STOPPED, watch)
    return _tensors(adapted)


def _applied(method: Method, base: PreTrainedModel) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return method.apply(base, []).eval()


def _trained(
    method: Method,
    base: PreTrainedModel,
    adapted: nn.Module,
    items: Sequence[Item],
    spec: TrainingSpec,
    watch: Watch | None = None,
) -> tuple[float, ...]:
    """Mean loss of every epoch of the training loop, on the path that the method takes."""
    engine = method.engine(base, adapted)

    def loss(batch: Sequence[Item]) -> torch.Tensor:
        if method.packable:
            return engine.answer_loss(batch)
        return plain_path.answer_loss(adapted, batch)

    trainee = Trainee(adapted, loss, hooks=method.hooks(adapted))
    progress = train(trainee, items, spec, lr=method.lr, seed=0, watch=watch or Watch())
    return progress.losses


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Every parameter and buffer by name."""
    return {n: t.detach() for n, t in [*model.named_parameters(), *model.named_buffers()]}


@torch.no_grad()
def _logits(model: nn.Module, items: Sequence[Item]) -> torch.Tensor:
    """Logits of the first item's own tokens."""
    ids = torch.tensor([items[0].prompt])
    logits: torch.Tensor = model(input_ids=ids).logits[:, -ids.shape[1] :]
    return logits.clone()


def _assert_close(
    found: torch.Tensor, expected: torch.Tensor, promise: str, *, tolerance: float = 1e-5
) -> None:
    torch.testing.assert_close(
        found, expected, atol=tolerance, rtol=tolerance, msg=lambda text: f"{promise}: {text}"
    )
