import json

import pytest
import torch

from textune.core.errors import ConfigError, ImpossibleError
from textune.methods.adalora import AdaLoRA
from textune.testing import tiny_items, tiny_model
from textune.training.loop import Trainee, Watch, train
from textune.training.settings import TrainingSpec

METHOD = AdaLoRA(rank=3, start_rank=5)
LAYERS = 14  # seven linear layers in each of two decoder layers


def trained(epochs):
    model = tiny_model("llama")
    torch.manual_seed(0)
    adapted = METHOD.apply(model, [])
    trainee = Trainee(
        adapted, METHOD.engine(model, adapted).answer_loss, hooks=METHOD.hooks(adapted)
    )
    spec = TrainingSpec(epochs=epochs, batch_size=5)
    train(trainee, tiny_items(), spec, lr=METHOD.lr, seed=0, watch=Watch())
    return adapted


def living(adapted):
    values = [p for n, p in adapted.named_parameters() if ".lora_E." in n]
    assert len(values) == LAYERS
    return [int((value != 0).sum()) for value in values]


def test_ranks_are_pruned_to_the_budget():
    ranks = living(trained(epochs=20))
    assert sum(ranks) == 3 * LAYERS
    assert max(ranks) > min(ranks), "ranks must move to where they matter"


def test_the_saved_folder_says_which_ranks_live(tmp_path):
    adapted = trained(epochs=20)
    METHOD.save(adapted, tmp_path)
    said = json.loads((tmp_path / "adapter_config.json").read_text())
    assert sum(sum(row) for row in said["rank_pattern"].values()) == 3 * LAYERS
    assert (said["total_step"], said["tinit"], said["tfinal"]) == (20, 2, 6)
    assert 0 in living(adapted), "a layer without any rank left must be saved and loaded too"
    loaded = METHOD.load(tiny_model("llama"), tmp_path).eval()
    ids = torch.tensor([[5, 9, 11, 3]])
    torch.testing.assert_close(loaded(ids).logits, adapted.eval()(ids).logits)


def test_too_few_steps_are_refused_before_any_is_made():
    with pytest.raises(ImpossibleError, match="cannot prune in 2 steps"):
        trained(epochs=2)
    assert sum(living(trained(epochs=3))) == 3 * LAYERS


def test_the_final_rank_must_be_below_the_first():
    with pytest.raises(ConfigError, match="start_rank 8"):
        AdaLoRA(rank=8, start_rank=8)


def test_the_penalty_is_the_mean_distance_from_orthogonality():
    adapted = METHOD.apply(tiny_model("llama"), [])
    distances = []
    for name, factor in adapted.named_parameters():
        if ".lora_A." in name:
            distances.append(torch.linalg.norm(factor @ factor.T - torch.eye(5)))
        if ".lora_B." in name:
            distances.append(torch.linalg.norm(factor.T @ factor - torch.eye(5)))
    expected = 0.5 * torch.stack(distances).mean()
    torch.testing.assert_close(METHOD.hooks(adapted).penalty(), expected)
