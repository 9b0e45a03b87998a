from copy import deepcopy

import pytest
import torch

from textune.engine.encoder_rows import EncoderRows
from textune.models.catalog import find_model
from textune.models.encoder_head import BiEncoder, EncoderWithHead
from textune.models.load import load_encoder
from textune.testing import tiny_encoder_folder

TEXTS = ["how do I learn to swim", "what is the best way to learn swimming", "swim", "a way to do"]
ROUNDING = 2.0**-8
"""The largest relative error of a number that is rounded to bf16."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder = tiny_encoder_folder(tmp_path_factory.mktemp("encoder"), TEXTS)
    spec = find_model(str(folder), form="encoder")
    return {precision: load_encoder(spec, precision) for precision in ("bfloat16", "float32")}


@pytest.fixture(scope="module")
def texts(loaded):
    found = loaded["float32"].tokenizer(TEXTS)
    sides = (map(tuple, found[name]) for name in ("input_ids", "token_type_ids"))
    return list(zip(*sides, strict=True))


@pytest.fixture
def read(loaded, texts):
    """What a network reads: the encoder's last states of all texts, and their lengths."""

    def make(network):
        states_TD = EncoderRows(network.encoder, loaded["float32"].tokenizer).states(texts)
        return states_TD, [len(ids) for ids, _ in texts]

    return make


@pytest.fixture
def networks(loaded):
    """Makes the same network on the encoder in either format."""

    def make(kind):
        torch.manual_seed(0)
        half = kind(deepcopy(loaded["bfloat16"].model), 3)
        whole = kind(deepcopy(loaded["float32"].model), 3)
        whole.head.load_state_dict(half.head.state_dict())
        device = loaded["float32"].model.device
        return half.to(device).eval(), whole.to(device).eval()

    return make


READS = {
    "means": (EncoderWithHead, None),
    "words": (EncoderWithHead, torch.tensor([1, 12, 20])),
    "pairs": (BiEncoder, None),
}


@pytest.mark.parametrize("reads", READS)
def test_logits_and_the_new_layer_are_fp32_on_an_encoder_in_bf16(reads, networks, read):
    kind, read_R = READS[reads]
    half, whole = networks(kind)
    assert {p.dtype for p in half.encoder.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in half.head.parameters()} == {torch.float32}
    with torch.no_grad():
        logits_RC, exact_RC = half(*read(half), read_R), whole(*read(whole), read_R)
    assert logits_RC.dtype == exact_RC.dtype == torch.float32
    # two layers round their weights and about a dozen results each, which add up like noise
    assert 0 < (logits_RC - exact_RC).norm() < 8 * ROUNDING * exact_RC.norm()


@pytest.mark.parametrize("reads", READS)
def test_gradients_have_the_format_of_their_weights(reads, networks, read):
    kind, read_R = READS[reads]
    half, _ = networks(kind)
    half(*read(half), read_R).square().sum().backward()
    table = half.encoder.get_input_embeddings().weight
    assert table.grad.dtype == torch.bfloat16
    assert table.grad.abs().sum() > 0
    assert half.head.weight.grad.dtype == torch.float32


def test_what_describes_a_pair_is_two_vectors_of_length_one_in_fp32(networks, read):
    half, _ = networks(BiEncoder)
    described_RF = half.described(*read(half)).cpu()
    assert described_RF.dtype == torch.float32
    for unit_RD in described_RF.chunk(4, dim=-1)[:2]:
        torch.testing.assert_close(unit_RD.norm(dim=-1), torch.ones(len(unit_RD)))
