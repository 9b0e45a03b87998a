import pytest
import torch
from torch import nn

from textune.models.text_net import (
    AttentiveRecurrence,
    Convolutions,
    Mean,
    Recurrence,
    TextNet,
    described,
)

READERS = {
    "mean": lambda: Mean(6),
    "convolutions": lambda: Convolutions(6, widths=(1, 2, 4), filters=5),
    "recurrence": lambda: Recurrence(6, units=4),
    "attentive recurrence": lambda: AttentiveRecurrence(6, units=4, width=3, filters=5),
}


def net(reader, num_texts=2, hidden=7):
    torch.manual_seed(0)
    return TextNet(
        READERS[reader](),
        num_words=20,
        dimension=6,
        num_texts=num_texts,
        hidden=hidden,
        dropout=0.5,
        num_outputs=3,
    ).eval()


def padded(rows, length):
    return torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])


@pytest.mark.parametrize("num_texts", [1, 2])
@pytest.mark.parametrize("reader", READERS)
def test_padding_and_neighbours_change_no_logit(reader, num_texts):
    network = net(reader, num_texts)
    sides = [[[3], [4, 5], [6, 7, 8], [9, 10, 11, 12, 13]], [[1, 2], [3, 4, 5, 6], [7], [8]]]
    sides = sides[:num_texts]
    together = network(torch.stack([padded(side, 9) for side in sides]))
    for place in range(4):
        rows = [side[place] for side in sides]
        alone = network(padded(rows, max(map(len, rows))).unsqueeze(1))
        assert torch.allclose(alone[0], together[place], atol=1e-6)


@pytest.mark.parametrize("reader", READERS)
def test_no_gradient_reaches_the_padding_and_one_reaches_all_else(reader):
    network = net(reader)
    network(torch.stack([padded([[3, 4, 5]], 5), padded([[6]], 5)])).square().sum().backward()
    assert network.embedding.weight.grad[0].abs().sum() == 0
    for name, parameter in network.reader.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("reader", READERS)
def test_both_texts_of_a_pair_are_read_with_the_same_weights(reader):
    network = net(reader)
    words = network.embedding(torch.tensor([[3, 4, 5], [3, 4, 5]]))
    left, right = network.reader(words, torch.ones(2, 3))
    assert torch.allclose(left, right)
    assert left.shape == (network.reader.num_features,)


def test_a_pair_is_described_by_both_texts_their_difference_and_their_product():
    u, v = torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0, 1.0]])
    assert described(u, v).tolist() == [[1, -2, 3, 1, 2, 3, 3, -2]]
    assert described(u).tolist() == u.tolist()


def test_a_convolution_is_that_of_its_formula():
    reader = Convolutions(2, widths=(2,), filters=1)
    weight, bias = reader.each[0].weight.detach()[0], reader.each[0].bias.item()
    words = torch.randn(1, 3, 2)
    windows = torch.cat([words[0], torch.zeros(1, 2)])
    values = [(weight.T * windows[i : i + 2]).sum().item() + bias for i in range(3)]
    found = reader(words, torch.ones(1, 3)).item()
    assert found == pytest.approx(max(0.0, *values), abs=1e-6)


def test_attention_weighs_pooled_words_and_never_padding():
    reader = AttentiveRecurrence(2, units=3, width=1, filters=4)
    nn.init.zeros_(reader.attention[2].weight)  # all weights are equal
    words = torch.randn(1, 4, 2)
    states, last = reader.recurrence.states(words, torch.ones(1, 4))
    found = reader.convolution(states.transpose(1, 2)).relu()[0]
    pooled = torch.stack([found[:, :2].amax(1), found[:, 2:].amax(1)])
    expected = torch.cat([pooled.mean(0), last[0]])
    longer = torch.cat([words, torch.randn(1, 3, 2)], dim=1)
    mask = torch.tensor([[1.0, 1, 1, 1, 0, 0, 0]])
    assert torch.allclose(reader(longer, mask)[0], expected, atol=1e-6)


def test_without_a_dense_layer_the_description_is_scored_by_one_product():
    assert [type(layer) for layer in net("mean", hidden=0).head] == [nn.Linear]
    assert [type(layer) for layer in net("mean").head] == [
        nn.Linear, nn.ReLU, nn.Dropout, nn.Linear,
    ]  # fmt: skip
