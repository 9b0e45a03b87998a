import pytest
import torch
from safetensors.torch import load_file

from textune.core.errors import ImpossibleError
from textune.methods.head_only import HeadOnly
from textune.models.load import checksum
from textune.testing import tiny_model

IDS = torch.tensor([[5, 6, 7]])


@pytest.mark.parametrize("tied", [False, True])
def test_the_head_alone_trains(tied):
    adapted = HeadOnly().apply(tiny_model("llama", tie_word_embeddings=tied), [])
    names = [name for name, p in adapted.model.named_parameters() if p.requires_grad]
    assert names == ["lm_head.weight"]
    assert adapted.model.lm_head.weight.numel() == 64 * 32


def test_a_tied_head_is_untied_and_the_embeddings_stay():
    model = tiny_model("llama", tie_word_embeddings=True)
    embeddings = model.get_input_embeddings().weight
    before = embeddings.clone()
    adapted = HeadOnly().apply(model, [])
    adapted(input_ids=IDS, labels=IDS).loss.backward()
    torch.optim.SGD(adapted.trained().values(), lr=1.0).step()
    assert model.get_input_embeddings().weight is embeddings
    assert embeddings.grad is None
    assert torch.equal(embeddings, before)
    assert not torch.equal(model.lm_head.weight, before)


def test_release_ties_the_head_again():
    model = tiny_model("llama", tie_word_embeddings=True)
    before = checksum(model)
    adapted = HeadOnly().apply(model, [])
    assert model.lm_head.weight is not model.get_input_embeddings().weight
    HeadOnly().release(adapted)
    assert model.lm_head.weight is model.get_input_embeddings().weight
    assert checksum(model) == before


def test_a_tied_head_is_saved_and_loaded_by_itself(tmp_path):
    adapted = HeadOnly().apply(tiny_model("llama", tie_word_embeddings=True), [])
    adapted.model.lm_head.weight.data += 1
    expected = adapted(input_ids=IDS).logits
    HeadOnly().save(adapted, tmp_path)
    assert set(load_file(tmp_path / "weights.safetensors")) == {"lm_head.weight"}
    loaded = HeadOnly().load(tiny_model("llama", tie_word_embeddings=True), tmp_path)
    torch.testing.assert_close(loaded(input_ids=IDS).logits, expected)


def test_merging_says_why_not():
    adapted = HeadOnly().apply(tiny_model("llama"), [])
    with pytest.raises(ImpossibleError, match="head_only learns cannot be folded"):
        HeadOnly().merge(adapted)
