import pytest
import torch

from textune.models.load import checksum
from textune.models.partly_trained import PartlyTrained
from textune.testing import tiny_model

NORM = "model.norm.weight"
BIAS = "model.layers.0.mlp.up_proj.bias"


def test_only_the_named_parameters_train():
    partly = PartlyTrained(tiny_model("llama"), [NORM, BIAS])
    names = {name for name, p in partly.model.named_parameters() if p.requires_grad}
    assert names == {NORM, BIAS} == set(partly.trained())


def test_it_gives_at_first_what_the_model_gives():
    model, ids = tiny_model("llama"), torch.tensor([[5, 6, 7]])
    expected = model(input_ids=ids).logits
    assert torch.equal(PartlyTrained(model, [NORM, BIAS])(input_ids=ids).logits, expected)


@pytest.mark.parametrize("name", ["model.norm.bias", "model.other.weight", "nothing"])
def test_a_place_that_the_model_lacks_is_refused_before_anything_changes(name):
    model = tiny_model("llama")
    own = model.model.norm.weight
    with pytest.raises(AttributeError):
        PartlyTrained(model, [NORM, name])
    assert model.model.norm.weight is own


def test_values_are_written_all_or_none():
    partly = PartlyTrained(tiny_model("llama"), [NORM, BIAS])
    before = {name: p.clone() for name, p in partly.trained().items()}
    with pytest.raises(ValueError, match=r"up_proj\.bias is missing"):
        partly.fill({NORM: torch.zeros(32)})
    with pytest.raises(ValueError, match=r"has the shape \(1,\), the model needs \(48,\)"):
        partly.fill({NORM: torch.zeros(32), BIAS: torch.zeros(1)})
    assert all(torch.equal(p, before[name]) for name, p in partly.trained().items())
    partly.fill({NORM: torch.zeros(32), BIAS: torch.ones(48)})
    assert partly.trained()[BIAS].sum() == 48


def test_what_is_kept_is_not_restored():
    model = tiny_model("llama")
    partly = PartlyTrained(model, [NORM])
    partly.trained()[NORM].data += 1
    changed = checksum(model)
    assert partly.keep() is model
    partly.restore()
    assert checksum(model) == changed
