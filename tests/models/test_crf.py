from itertools import pairwise, product

import pytest
import torch

from textune.data.tags import may_follow
from textune.models.crf import LinearChain

TAGS = ["O", "B-A", "I-A", "B-B", "I-B"]
LENGTHS = torch.tensor([1, 4, 3])


def chain_of(tags):
    """A chain with random scores."""
    chain = LinearChain(tags).double()
    draw = torch.Generator().manual_seed(1)
    for parameter in chain.parameters():
        torch.nn.init.normal_(parameter, generator=draw)
    return chain


@pytest.fixture
def chain():
    return chain_of(TAGS)


@pytest.fixture
def emissions():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(3, 4, len(TAGS), generator=draw, dtype=torch.float64) * 2


def allowed_paths(length):
    for path in product(range(len(TAGS)), repeat=length):
        names = ["O", *(TAGS[tag] for tag in path)]
        if all(may_follow(*pair) for pair in pairwise(names)):
            yield path


def score(chain, emissions_LC, path):
    """The formula, one addition after the other."""
    total = chain.begin_C[path[0]] + chain.end_C[path[-1]]
    total = total + sum(emissions_LC[place, tag] for place, tag in enumerate(path))
    return total + sum(chain.transition_CC[pair] for pair in pairwise(path))


def padded(path):
    return torch.tensor([[*path, *[0] * (4 - len(path))]])


def test_likelihoods_are_shares_of_all_sequences_that_the_rules_allow(chain, emissions):
    for row, length in enumerate(LENGTHS.tolist()):
        paths = list(allowed_paths(length))
        scores = torch.stack([score(chain, emissions[row], path) for path in paths])
        expected = scores.log_softmax(0)
        found = chain.log_likelihood(
            emissions[row].expand(len(paths), -1, -1),
            torch.cat([padded(path) for path in paths]),
            torch.full((len(paths),), length),
        )
        torch.testing.assert_close(found, expected)
        assert found.exp().sum().item() == pytest.approx(1)


def test_the_best_path_is_the_best_of_all(chain, emissions):
    found = chain.best(emissions, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        paths = list(allowed_paths(length))
        scores = [score(chain, emissions[row], path).item() for path in paths]
        assert tuple(found[row]) == paths[scores.index(max(scores))]


def test_what_stands_in_the_padding_changes_nothing(chain, emissions):
    tags = torch.tensor([[1, 0, 0, 0], [0, 1, 2, 0], [3, 4, 0, 0]])
    before = chain.log_likelihood(emissions, tags, LENGTHS), chain.best(emissions, LENGTHS)
    changed, other = emissions.clone(), tags.clone()
    changed[0, 1:], changed[2, 3:] = 99.0, -99.0
    other[0, 1:], other[2, 3:] = 4, 2
    torch.testing.assert_close(chain.log_likelihood(changed, other, LENGTHS), before[0])
    assert chain.best(changed, LENGTHS) == before[1]


def test_gradients_are_those_of_finite_differences(chain, emissions):
    tags = torch.tensor([[1, 0, 0, 0], [0, 1, 2, 0], [3, 4, 0, 0]])
    values = [emissions, *(p.detach().clone() for p in chain.parameters())]
    names = [name for name, _ in chain.named_parameters()]

    def loss(emissions, *parameters):
        state = dict(zip(names, parameters, strict=True))
        call = Likelihood(chain)
        named = {f"chain.{name}": value for name, value in state.items()}
        return torch.func.functional_call(call, named, (emissions, tags, LENGTHS))

    assert torch.autograd.gradcheck(loss, [value.requires_grad_() for value in values])


class Likelihood(torch.nn.Module):
    """The likelihood as a module's forward, for ``functional_call``."""

    def __init__(self, chain):
        super().__init__()
        self.chain = chain

    def forward(self, emissions, tags, lengths):
        return self.chain.log_likelihood(emissions, tags, lengths)


def test_no_gradient_reaches_what_is_forbidden(chain, emissions):
    tags = torch.tensor([[1, 0, 0, 0], [0, 1, 2, 0], [3, 4, 0, 0]])
    chain.log_likelihood(emissions, tags, LENGTHS).sum().backward()
    assert (chain.transition_CC.grad[~chain.allowed_CC] == 0).all()
    assert (chain.begin_C.grad[~chain.may_begin_C] == 0).all()
    assert all(parameter.grad.isfinite().all() for parameter in chain.parameters())


def test_a_forbidden_sequence_has_no_likelihood(chain, emissions):
    inside_without_beginning = torch.tensor([[0, 2, 0, 0]])
    length = torch.tensor([2])
    found = chain.log_likelihood(emissions[:1], inside_without_beginning, length)
    assert found.exp().item() == 0


def test_emissions_that_break_the_rules_are_decoded_within_them():
    """Of each word alone I would be the best; two words are one entity, not an I after O."""
    chain = LinearChain(["O", "B-A", "I-A"])
    emissions = torch.tensor([[[0.0, 1.0, 5.0], [0.0, 1.0, 5.0]]])
    assert chain.best(emissions, torch.tensor([2])) == [[1, 2]]


def test_a_new_chain_prefers_nothing_but_what_emissions_say(emissions):
    chain = LinearChain(["O", "B-A", "B-B", "B-C", "B-D"])  # each may follow each
    assert chain.best(emissions, LENGTHS) == [
        emissions[row, :length].argmax(-1).tolist() for row, length in enumerate(LENGTHS.tolist())
    ]


def test_sequences_in_one_row_are_those_of_a_padded_block(chain, emissions):
    tags = torch.tensor([[1, 0, 0, 0], [0, 1, 2, 0], [3, 4, 0, 0]])
    lengths = [1, 0, 4, 3]
    rows = torch.cat([emissions[0, :1], emissions[1], emissions[2, :3]])
    gold = torch.cat([tags[0, :1], tags[1], tags[2, :3]])
    expected = -chain.log_likelihood(emissions, tags, LENGTHS).sum() / 8
    torch.testing.assert_close(chain.loss(rows, gold, lengths), expected)
    one, four, three = chain.best(emissions, LENGTHS)
    assert chain.tags(rows, lengths) == [one, [], four, three]
    assert chain.tags(rows[:0], [0, 0]) == [[], []]


def test_chains_learn_what_emissions_do_not_say():
    """After A always comes B: the words say nothing, their order everything."""
    chain = LinearChain(["O", "B-A", "B-B"])
    tags, lengths = torch.tensor([1, 2, 0, 1, 2, 0]), [6]
    optimiser = torch.optim.Adam(chain.parameters(), lr=0.1)
    for _ in range(100):
        optimiser.zero_grad()
        chain.loss(torch.zeros(6, 3), tags, lengths).backward()
        optimiser.step()
    assert chain.tags(torch.zeros(6, 3), lengths) == [tags.tolist()]
