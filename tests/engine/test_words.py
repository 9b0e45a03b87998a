import pytest
import torch

from textune.cost.meter import meter
from textune.engine.words import BATCH, Encoded, WordEngine
from textune.models.text_net import Convolutions, Mean, TextNet


def engine(*, num_texts=2, exclusive=True, reader=None):
    torch.manual_seed(0)
    network = TextNet(
        reader or Convolutions(4, widths=(1, 2), filters=3),
        num_words=50,
        dimension=4,
        num_texts=num_texts,
        hidden=5,
        dropout=0.0,
        num_outputs=3,
    )
    return WordEngine(network.eval(), exclusive=exclusive)


def items(number, *, num_texts=2, targets=1):
    draw = torch.Generator().manual_seed(1)

    def text(length):
        return tuple(torch.randint(1, 50, (length,), generator=draw).tolist())

    return [
        Encoded(tuple(text(1 + (i + side) % 7) for side in range(num_texts)), (i % 2,) * targets)
        for i in range(number)
    ]


@pytest.mark.parametrize(("exclusive", "targets"), [(True, 1), (False, 3)])
def test_the_loss_of_a_batch_is_the_mean_over_its_examples(exclusive, targets):
    one, batch = engine(exclusive=exclusive), items(6, targets=targets)
    each = torch.stack([one.loss([item]) for item in batch])
    assert torch.allclose(one.loss(batch), each.mean(), atol=1e-6)


def test_scores_belong_to_their_examples_whatever_the_order():
    one, many = engine(), items(BATCH + 20)
    scores_NC = one.scores(many)
    assert (one.scores(many[::-1])[::-1] == scores_NC).all(), "bit for bit"
    assert scores_NC.sum(1) == pytest.approx(1)
    for item, row in list(zip(many, scores_NC, strict=True))[::50]:
        assert one.scores([item])[0] == pytest.approx(row, abs=1e-6)


def test_labels_that_may_be_several_have_a_score_each():
    scores_NC = engine(exclusive=False).scores(items(8))
    assert not torch.allclose(torch.tensor(scores_NC.sum(1)), torch.tensor(1.0).double())
    assert engine().scores([]).shape == (0, 3)


def test_operations_are_those_of_its_layers():
    one, batch = engine(), items(2)
    with meter() as running:
        one.scores(batch)
    places = 2 * 2 * max(item.length for item in batch)
    filters = (4 + 2 * 4 + 2) * 3
    head = 4 * 6 * 5 + 5 + 5 * 3 + 3
    assert running.usage.tokens == places
    assert running.usage.flops == 2 * (filters * places + head * 2)
    assert one.flops(batch, passes=3) == 3 * running.usage.flops


def test_what_only_looks_up_costs_no_operation_of_its_own():
    one, batch = engine(reader=Mean(4), num_texts=1), items(2, num_texts=1)
    assert one.flops(batch, passes=1) == 2 * 2 * (4 * 5 + 5 + 5 * 3 + 3)
