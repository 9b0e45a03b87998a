"""Branches of prompts: which they are, and that scores in them are those of single prompts."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from textune.engine import branching, plain
from textune.engine.branching import Branch, branches
from textune.engine.causal import CausalEngine
from textune.engine.labels import label_tree
from textune.engine.packing import shared_prefix
from textune.methods.base import REGISTRY
from textune.testing import ARCHITECTURES, moved, tiny_model

LABELS = [(5,), (6, 7), (6, 8, 9)]


@pytest.fixture
def eager(monkeypatch):
    """Any branch that saves a token is worth it."""
    monkeypatch.setattr(branching, "LEAST", 1)


def saved(prompts, found, cut):
    return sum((len(b.places) - 1) * (b.cut - cut) for b in found)


def test_prompts_that_share_more_get_a_branch_and_the_rest_comes_last(eager):
    prompts = [(1, 2, 3, 9), (1, 7), (1, 2, 3, 8), (1, 2, 3, 4, 4), (1, 6, 6)]
    assert branches(prompts, 1) == [Branch((3, 2, 0), 3), Branch((1, 4), 1)]


def test_the_branches_that_save_the_most_are_chosen(eager):
    wide = [(0, 1, 1, 1, 5), (0, 1, 1, 1, 6), (0, 1, 1, 2), (0, 1, 1, 3)]
    assert branches(wide, 0) == [Branch((0, 1, 2, 3), 3)]  # 9 tokens, the deeper one saves 4
    deep = [(0, *[1] * 8, 5), (0, *[1] * 8, 6), (0, 2, 2, 3), (0, 2, 2, 4)]
    assert branches(deep, 1) == [Branch((0, 1), 9), Branch((2, 3), 3)]


def test_a_branch_must_save_enough():
    long = (0,) + (1,) * branching.LEAST
    assert [b.cut for b in branches([(*long, 2), (*long, 3), (0, 4)], 1)] == [len(long), 1]
    assert [b.cut for b in branches([(*long[1:], 2), (*long[1:], 3), (1, 4)], 1)] == [1]


def test_nothing_has_no_branches_and_one_prompt_is_the_rest():
    assert branches([], 0) == []
    assert branches([(1, 2)], 1) == [Branch((0,), 1)]


token_lists = st.lists(st.lists(st.integers(0, 2), max_size=8), min_size=1, max_size=12)


@given(token_lists)
def test_every_prompt_is_in_one_branch_that_it_begins_with(lists):
    prompts = [(7, *tokens, 3) for tokens in lists]
    cut = shared_prefix(prompts)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(branching, "LEAST", 1)
        found = branches(prompts, cut)
    assert sorted(place for branch in found for place in branch.places) == list(
        range(len(prompts))
    )
    for branch in found:
        assert len({prompts[place][: branch.cut] for place in branch.places}) == 1
        assert all(len(prompts[place]) > branch.cut >= cut for place in branch.places)
    # as good as the best single run of neighbours
    ordered = sorted(prompts)
    for first in range(len(ordered)):
        for last in range(first + 2, len(ordered) + 1):
            run = ordered[first:last]
            same = min(_common(one, other) for one, other in pairwise(run))
            assert saved(prompts, found, cut) >= (len(run) - 1) * (same - cut)


def _common(one, other):
    limit = min(len(one), len(other)) - 1
    return next((i for i in range(limit) if one[i] != other[i]), limit)


def grouped_prompts():
    """Ten prompts: all share 4 tokens, two groups of four share 9 and 15 more."""
    draw = torch.Generator().manual_seed(3)

    def tokens(size):
        return tuple(torch.randint(10, 60, (size,), generator=draw).tolist())

    stem, one, other = tokens(4), tokens(9), tokens(15)
    groups = [one] * 4 + [other] * 4 + [()] * 2
    prompts = [(*stem, *group, place, *tokens(2 + place)) for place, group in enumerate(groups)]
    return [prompts[i] for i in torch.randperm(len(prompts), generator=draw).tolist()]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("method_name", ["lora", "prefix", "prompt_tuning"])
def test_scores_in_branches_are_those_of_one_prompt_at_a_time(method_name, architecture, eager):
    kind = REGISTRY.get(method_name)
    method = kind() if method_name == "lora" else kind(tokens=4)
    model = tiny_model(architecture, sliding_window=12)
    torch.manual_seed(0)
    adapted = moved(method.apply(model, []))
    adapted.eval()
    prompts, tree = grouped_prompts(), label_tree(LABELS, end=2, names=["a", "b", "c"])
    assert len(branches(prompts, shared_prefix(prompts))) == 3
    engine = method.engine(model, adapted)
    found = engine.label_scores(prompts, tree)
    torch.testing.assert_close(
        found, plain.label_scores(adapted, prompts, tree.paths), atol=2e-5, rtol=1e-4
    )
    torch.testing.assert_close(engine.label_scores(prompts, tree), found)


def test_what_a_branch_shares_is_computed_once(eager, monkeypatch):
    sizes = []
    monkeypatch.setattr(
        "textune.engine.causal.count_work", lambda *, tokens, flops: sizes.append(tokens)
    )
    tree = label_tree([*LABELS[:1], (6,)], end=2, names=["a", "b"])
    prompts = grouped_prompts()
    CausalEngine(tiny_model("llama")).label_scores(prompts, tree)
    own = sum(len(p) - 4 for p in prompts) - 4 * 9 - 4 * 15
    assert sum(sizes) == 4 + 9 + 15 + own
