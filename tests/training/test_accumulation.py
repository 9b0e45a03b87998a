import contextlib
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from textune.cost.demand import HEAP, SPARING_HEAP
from textune.engine import plain
from textune.engine.causal import CausalEngine
from textune.engine.footprint import Footprint
from textune.engine.forecast import kept_bytes
from textune.engine.labels import label_tree
from textune.engine.packing import Item, longest
from textune.methods.base import REGISTRY
from textune.methods.lora import LoRA
from textune.testing import ARCHITECTURES, tiny_items, tiny_model
from textune.training.accumulation import Accumulation, Room, accumulation, room_beside
from textune.training.loop import Trainee, Watch, train
from textune.training.objective import Objective, num_answer_tokens
from textune.training.settings import TrainingSpec

ITEMS = tiny_items(size=12, shared=20)
SPEC = TrainingSpec(epochs=2, batch_size=6)
PLENTY = 1e12


class Alive(TorchDispatchMode):
    """Counts bytes that operations made and that are still there: what a step really keeps."""

    def __init__(self):
        super().__init__()
        self.made = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for out in found if isinstance(found, list | tuple) else [found]:
            if isinstance(out, torch.Tensor):
                storage = out.untyped_storage()
                self.made[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        return found

    def bytes(self):
        return sum(size for ref, size in self.made.values() if not ref.expired())


def adapted_model(method=None, architecture="llama", **sizes):
    model = tiny_model(architecture, **sizes)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        adapted = (method or LoRA(rank=4)).apply(model, [])
    return model, adapted


def answers_of(method, model, adapted):
    """The objective of the answers' tokens, on the path that the method takes."""
    if method.packable:
        return Objective(method.engine(model, adapted).answer_loss, num_answer_tokens)
    return Objective(partial(plain.answer_loss, adapted), num_answer_tokens, runs=1)


def gradients(found, adapted, batch):
    """Of the mean loss, gathered from micro-batches."""
    adapted.train().zero_grad()
    for part, share in found.micro_batches(batch):
        (found.loss(part) * share).backward()
    adapted.eval()
    return {
        name: p.grad.clone()
        for name, p in adapted.named_parameters()
        if p.requires_grad and p.grad is not None
    }


def whole_of(model, objective, items=ITEMS):
    """Accumulation with room for everything."""
    return Accumulation(model, objective, Footprint.of(model, runs=objective.runs), PLENTY, items)


def narrowed(whole, number, *, recomputes):
    """With as much room as so many of the longest items take, by what is said to be kept.

    Of many layers it is little where they are run again; of a single one nothing would be saved.
    """
    items = longest(whole.largest, number)
    footprint = replace(whole.footprint, layers=1000 if recomputes else 1)
    kept = footprint.kept_between if recomputes else footprint.kept
    return replace(whole, footprint=footprint, room=kept(items), sparing=True)


def assert_alike(found, expected):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        error = (found[name] - gradient).norm() / gradient.norm().clamp_min(1e-6)
        assert error < 1e-4, f"{name}: {error:.1e}"


@pytest.mark.parametrize("recomputes", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("name", REGISTRY.names())
def test_micro_batches_give_the_gradients_of_the_whole_batch(name, recomputes):
    method = REGISTRY.get(name)()
    model, adapted = adapted_model(method)
    whole = whole_of(model, answers_of(method, model, adapted))
    divided = narrowed(whole, 2, recomputes=recomputes)
    assert divided.notes["micro_batches"] > 1
    assert divided.notes["recomputed"] == ("yes" if recomputes else "no")
    expected = gradients(whole, adapted, ITEMS)
    assert expected, "nothing takes a gradient"
    assert_alike(gradients(divided, adapted, ITEMS), expected)


def test_a_method_that_cannot_be_packed_divides_its_batches_too():
    model, adapted = adapted_model()
    tree = label_tree([(5,), (6, 7), (6, 8)], 2, ["a", "b", "c"])
    items = [Item(item.prompt, tree.paths[i % 3]) for i, item in enumerate(ITEMS[:4])]
    labels = Objective(partial(plain.label_loss, adapted, labels=tree), len, runs=4)
    answers = Objective(partial(plain.answer_loss, adapted), num_answer_tokens, runs=1)
    for objective in (labels, answers):
        guess = Footprint.of(model, runs=objective.runs)
        kept = kept_bytes(lambda: objective.loss(items), adapted.train())  # noqa: B023  # called at once
        assert kept < guess.kept(items)
        divided = accumulation(model, adapted, objective, items, SPEC, Room(kept / 4, kept / 4))
        assert divided.notes
        expected = gradients(whole_of(model, objective, items), adapted, items)
        assert_alike(gradients(divided, adapted, items), expected)


@pytest.mark.parametrize("recomputes", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_so_does_the_choice_among_labels(architecture, recomputes):
    model, adapted = adapted_model(architecture=architecture)
    tree = label_tree([(5,), (6, 7), (6, 8)], 2, ["a", "b", "c"])
    items = [Item(item.prompt, (*tree.paths[i % 3],)) for i, item in enumerate(ITEMS)]
    objective = Objective(partial(CausalEngine(model).label_loss, labels=tree), len)
    whole = whole_of(model, objective, items)
    divided = narrowed(whole, 3, recomputes=recomputes)
    assert divided.notes["recomputed"] == ("yes" if recomputes else "no")
    expected = gradients(whole, adapted, items)
    assert_alike(gradients(divided, adapted, items), expected)


def test_a_batch_is_divided_into_as_few_parts_as_have_room():
    model, adapted = adapted_model()
    whole = whole_of(model, answers_of(LoRA(), model, adapted))
    assert whole.micro_batches(ITEMS) == [(ITEMS, 1.0)]
    found = narrowed(whole, 3, recomputes=False)
    parts = found.micro_batches(ITEMS)
    assert sorted((i for part, _ in parts for i in part), key=ITEMS.index) == ITEMS
    assert all(found.footprint.kept(part) <= found.room for part, _ in parts)
    joined = [[*one, two[0]] for (one, _), (two, _) in pairwise(parts)]
    assert all(found.footprint.kept(part) > found.room for part in joined)
    shares = [share for _, share in parts]
    assert sum(shares) == pytest.approx(1)
    assert shares == [num_answer_tokens(p) / num_answer_tokens(ITEMS) for p, _ in parts]


def test_one_example_is_never_divided_though_it_has_no_room():
    model, adapted = adapted_model()
    objective = answers_of(LoRA(), model, adapted)
    found = accumulation(model, adapted, objective, ITEMS, SPEC, Room(0.0, 0.0))
    assert [len(part) for part, _ in found.micro_batches(ITEMS)] == [1] * len(ITEMS)
    assert found.notes == {"micro_batches": 6, "recomputed": "yes"}


@pytest.mark.parametrize("name", REGISTRY.names())
def test_what_a_step_keeps_is_less_than_the_guess(name):
    method = REGISTRY.get(name)()
    sizes = {"hidden_size": 64, "intermediate_size": 160, "head_dim": 16}
    for architecture in ARCHITECTURES:
        model, adapted = adapted_model(method, architecture, **sizes)
        objective = answers_of(method, model, adapted)
        guess = Footprint.of(model, runs=objective.runs)
        adapted.train()
        kept = kept_bytes(lambda: objective.loss(ITEMS), adapted)  # noqa: B023  # called at once
        assert kept < guess.kept(ITEMS), f"{architecture}: {kept / guess.kept(ITEMS):.2f}"
        for batch in (ITEMS[:4], ITEMS[6:]):
            known = guess.measured(ITEMS, kept).kept(batch)
            found = kept_bytes(lambda: objective.loss(batch), adapted)  # noqa: B023  # called at once
            assert found < 1.2 * known, f"{architecture}: {found / known:.2f}"


def alive_after(found, adapted, batch):
    """Bytes that the forward pass of a step leaves."""
    adapted.train()
    with Alive() as alive:
        loss = found.loss(batch)
        kept = alive.bytes()
    loss.backward()
    return kept


def test_layers_that_are_run_again_keep_what_is_said():
    sizes = {"hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 12}
    model, adapted = adapted_model(LoRA(rank=4), **sizes)
    whole = whole_of(model, answers_of(LoRA(), model, adapted))
    kept = alive_after(whole, adapted, ITEMS)
    between = alive_after(replace(whole, room=0, sparing=True), adapted, ITEMS)
    assert between < kept / 4
    assert between < whole.footprint.measured(ITEMS, kept).kept_between(ITEMS) < kept / 2


def test_layers_are_run_again_where_that_takes_less_than_dividing():
    model, adapted = adapted_model(num_hidden_layers=12)
    shared, own = tuple(range(3, 43)) * 4, [(5 + i,) * 20 for i in range(6)]
    long = [Item((*shared, *tail), (7, 2)) for tail in own]
    objective = answers_of(LoRA(), model, adapted)
    kept = kept_bytes(lambda: objective.loss(long), adapted.train())
    enough = accumulation(model, adapted, objective, long, SPEC, Room(1.3 * kept, 0.0))
    assert not enough.notes, "measured, it has room"
    short = accumulation(model, adapted, objective, long, SPEC, Room(kept, 0.8 * kept))
    assert short.notes == {"micro_batches": 1, "recomputed": "yes"}
    assert len(short.micro_batches(long[:1])) == 1
    free = alive_after(whole_of(model, objective), adapted, long[:1])
    assert alive_after(short, adapted, long[:1]) == free, "what has room is run once"


def test_where_there_is_room_nothing_is_run_and_nothing_noted():
    model, adapted = adapted_model()
    objective = answers_of(LoRA(), model, adapted)

    def refuse(items):
        raise AssertionError

    found = accumulation(
        model, adapted, replace(objective, loss=refuse), ITEMS, SPEC, Room(PLENTY, 0.0)
    )
    assert found.notes == {}


def trained(room, *, die_at=None, folder=None):
    model, adapted = adapted_model(LoRA(rank=4, dropout=0.2))
    objective = answers_of(LoRA(), model, adapted)
    found = accumulation(model, adapted, objective, ITEMS, SPEC, Room(room, room))

    def report(done, total, loss):
        if done == die_at:
            raise InterruptedError

    assert found.notes["micro_batches"] > 1
    trainee = Trainee(adapted, found.loss, micro_batches=found.micro_batches)
    with contextlib.suppress(InterruptedError):
        train(trainee, ITEMS, SPEC, lr=1e-2, seed=1, watch=Watch(report, folder, seconds=0.0))
    layers = [m for m in model.modules() if getattr(m, "gradient_checkpointing", False)]
    assert not layers, "the switch is put back"
    return {n: p.detach().clone() for n, p in adapted.named_parameters() if p.requires_grad}


def test_a_training_that_is_taken_up_again_divides_as_before(tmp_path):
    model, adapted = adapted_model()
    objective = answers_of(LoRA(), model, adapted)
    tight = kept_bytes(lambda: objective.loss(longest(ITEMS, 3)), adapted.train())
    expected = trained(tight)
    trained(tight, die_at=2, folder=tmp_path)
    found = trained(tight, folder=tmp_path)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_room_is_what_weights_and_optimiser_leave():
    _, adapted = adapted_model()
    lots = room_beside(adapted, 10**10, keeps_best=False)
    less = room_beside(adapted, 10**9, keeps_best=False)
    assert lots.usual - less.usual == pytest.approx(9e9 / HEAP["cpu"])
    assert lots.sparing - less.sparing == pytest.approx(9e9 / SPARING_HEAP["cpu"])
    assert lots.usual < lots.sparing
    trainable = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    best = room_beside(adapted, 10**10, keeps_best=True)
    assert lots.usual - best.usual == pytest.approx(4 * trainable / HEAP["cpu"])
