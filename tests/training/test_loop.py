import math

import pytest
import torch

from textune.core.errors import ConfigError, ImpossibleError
from textune.engine.causal import CausalEngine
from textune.methods.lora import LoRA
from textune.testing import tiny_items, tiny_model
from textune.training import checkpoint, loop
from textune.training import masters as masters_module
from textune.training.loop import Trainee, Watch, train
from textune.training.masters import Masters
from textune.training.settings import TrainingSpec, rate_at

SPEC = TrainingSpec(epochs=3, batch_size=2)
ITEMS = tiny_items(size=5)


class Killed(Exception):
    """Stands for SIGKILL in the middle of training."""


def setup(dropout=0.1):
    model = tiny_model("llama")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        adapted = LoRA(rank=4, dropout=dropout).apply(model, [])
    return adapted, CausalEngine(model)


def weights(adapted):
    return {n: p.detach().clone() for n, p in adapted.named_parameters() if p.requires_grad}


def trained(folder=None, die_at=None, scores=None, spec=SPEC):
    adapted, engine = setup()

    def report(done, total, loss):
        if done == die_at:
            raise Killed

    left = iter(scores or [])
    trainee = Trainee(adapted, engine.answer_loss, (lambda: next(left)) if scores else None)
    watch = Watch(report, folder, seconds=0.0)
    progress = train(trainee, ITEMS, spec, lr=1e-2, seed=3, watch=watch)
    return weights(adapted), progress


def test_a_killed_run_taken_up_again_ends_with_the_same_weights(tmp_path):
    expected, progress = trained()
    assert progress.step == 9
    for die_at in (2, 5, 8):
        folder = tmp_path / str(die_at)
        with pytest.raises(Killed):
            trained(folder, die_at)
        assert (folder / "checkpoint.safetensors").is_file()
        found, again = trained(folder)
        assert again.losses == progress.losses
        for name, tensor in expected.items():
            assert torch.equal(found[name], tensor), name


def test_a_damaged_checkpoint_costs_time_and_nothing_else(tmp_path):
    expected, _ = trained()
    with pytest.raises(Killed):
        trained(tmp_path, 5)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    found, _ = trained(tmp_path)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_checkpoint_of_another_model_is_not_taken_up(tmp_path):
    checkpoint.save(
        tmp_path / "checkpoint.safetensors",
        {"0.master": torch.zeros(3)},
        checkpoint.Progress(step=4),
    )
    expected, _ = trained()
    found, progress = trained(tmp_path)
    assert progress.step == 9
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_the_best_epoch_by_validation_is_put_back():
    last, _ = trained()
    best_first, progress = trained(scores=[0.9, 0.5, 0.6])
    assert progress.best_epoch == 0
    assert progress.valid_scores == (0.9, 0.5, 0.6)
    assert any(not torch.equal(best_first[n], last[n]) for n in last)
    best_last, progress = trained(scores=[0.1, 0.2, 0.3])
    assert progress.best_epoch == 2
    assert all(torch.equal(best_last[n], last[n]) for n in last)


def test_one_seed_gives_one_result_and_another_another():
    adapted, engine = setup()
    train(Trainee(adapted, engine.answer_loss), ITEMS, SPEC, lr=1e-2, seed=4, watch=Watch())
    here, (there, _) = weights(adapted), trained()
    assert any(not torch.equal(here[n], there[n]) for n in there)


def test_the_global_generator_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trained()
    assert torch.equal(torch.rand(3), expected)


def test_a_loss_that_is_no_number_stops_with_a_hint():
    adapted, engine = setup()
    trainee = Trainee(adapted, lambda items: engine.answer_loss(items) * math.nan)
    with pytest.raises(ImpossibleError, match="not a number after step 1"):
        train(trainee, ITEMS, SPEC, lr=1e-2, seed=0, watch=Watch())


def test_training_nothing_is_an_error():
    model = tiny_model("llama")
    trainee = Trainee(model, CausalEngine(model).answer_loss)
    with pytest.raises(ImpossibleError, match="trains nothing"):
        train(trainee, ITEMS, SPEC, lr=1e-2, seed=0, watch=Watch())


def test_masters_in_fp32_keep_updates_that_bf16_would_lose():
    parameter = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    masters = Masters([parameter], weight_decay=0.0)
    for _ in range(40):
        parameter.grad = torch.ones_like(parameter)
        masters.step(1e-4)  # each alone is below what bf16 can show beside 1
    assert torch.allclose(masters.masters[0], torch.full((4,), 1 - 40e-4), atol=1e-5)
    assert (parameter < 1).all()


def test_an_update_at_once_is_that_of_torch(monkeypatch):
    found = {}
    for name in ("compiled", "torch"):
        if name == "torch":
            monkeypatch.setattr(masters_module, "update_of", lambda parameter: None)
        maker = torch.Generator().manual_seed(0)
        shapes = (7, 33), (5,), (1000,)
        drawn = [torch.randn(shape, generator=maker) for shape in shapes]
        parameters = [torch.nn.Parameter(values.bfloat16()) for values in drawn[:2]]
        parameters.append(torch.nn.Parameter(drawn[2]))  # fp32, which is torch's in any case
        masters = Masters(parameters, weight_decay=0.1, factors=[1.0, 4.0, 1.0])
        assert (masters.masters[0].grad is None) == (name == "compiled")
        for _ in range(5):
            for parameter in parameters:
                parameter.grad.copy_(torch.randn(parameter.shape, generator=maker))
            masters.step(1e-2, clip=0.5)
        found[name] = masters.state(), [p.detach().clone() for p in parameters]
    assert found["compiled"][0].keys() == found["torch"][0].keys()
    for name, tensor in found["torch"][0].items():
        torch.testing.assert_close(found["compiled"][0][name], tensor, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(found["compiled"][1], found["torch"][1], strict=True):
        torch.testing.assert_close(ours, theirs)


def test_gradients_together_are_no_longer_than_asked():
    adapted, engine = setup()
    trainable = [p for p in adapted.parameters() if p.requires_grad]
    engine.answer_loss(ITEMS).backward()
    norm = torch.cat([p.grad.flatten() for p in trainable]).norm().item()
    assert loop._clip(trainable, norm / 4) == pytest.approx(0.25, rel=1e-4)
    assert loop._clip(trainable, norm * 4) == 1.0


def test_the_rate_rises_linearly_then_falls_as_half_a_cosine():
    rates = [rate_at(step, total=100, warmup=10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1.0)
    assert rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[99] < 0.001
    assert max(rates) <= 1.0


def test_steps_count_the_last_smaller_batch():
    assert TrainingSpec(epochs=2, batch_size=16).total_steps(33) == 6


def test_a_small_training_part_is_passed_until_enough_steps_are_made():
    steps = [
        TrainingSpec(epochs=4, batch_size=8, min_steps=least).total_steps(24)
        for least in (0, 12, 13, 20)
    ]
    assert steps == [12, 12, 15, 21]


def test_steps_made_by_more_passes_are_those_of_so_many_epochs():
    asked, progress = trained(spec=TrainingSpec(epochs=1, min_steps=8, batch_size=2))
    expected, of_epochs = trained()
    assert progress.losses == of_epochs.losses
    assert all(torch.equal(asked[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"batch_size": -1}, {"lr": -0.1}, {"lr": 11.0}, {"min_steps": -1}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TrainingSpec(**wrong)
