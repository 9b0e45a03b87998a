import pytest
import torch

from textune.core.errors import ConfigError
from textune.engine.labels import FORM, label_tree


def tree_of(*paths, end=99):
    return label_tree(paths, end, [f"label{i}" for i in range(len(paths))])


def test_labels_of_one_token_need_no_extra_input():
    found = tree_of((5,), (6,), (7,))
    assert found.tree.tokens == ()
    assert found.read_at == ((0,), (0,), (0,))


def test_inner_tokens_are_shared_where_labels_begin_alike():
    found = tree_of((5, 6, 7), (5, 6, 8), (5, 9), (4,))
    assert found.tree.tokens == (5, 6)
    assert found.tree.parents == (-1, 0)
    assert found.read_at == ((0, 1, 2), (0, 1, 2), (0, 1), (0,))


def test_a_label_that_begins_another_makes_all_end_explicitly():
    found = tree_of((5,), (5, 6))
    assert found.paths == ((5, 99), (5, 6, 99))


def test_scores_are_sums_of_conditional_log_likelihoods():
    found = tree_of((0, 1), (0, 2), (2,))
    logits = torch.randn(2 * 2, 3, generator=torch.Generator().manual_seed(0))
    log_probs = logits.log_softmax(-1).view(2, 2, 3)
    expected = torch.stack(
        [
            log_probs[:, 0, 0] + log_probs[:, 1, 1],
            log_probs[:, 0, 0] + log_probs[:, 1, 2],
            log_probs[:, 0, 2],
        ],
        dim=1,
    )
    torch.testing.assert_close(found.scores(logits, 2), expected)


def test_a_complete_set_of_labels_has_probability_one():
    found = tree_of((0,), (1, 0), (1, 1), (1, 2), (2,))
    logits = torch.randn(4 * 2, 3, generator=torch.Generator().manual_seed(1))
    total = found.scores(logits, 4).exp().sum(1)
    torch.testing.assert_close(total, torch.ones(4))


@pytest.mark.parametrize(
    ("paths", "message"), [(((5,), ()), "'label1' into nothing"), (((5,), (5,)), "'label0' from")]
)
def test_labels_that_cannot_be_told_apart_are_refused(paths, message):
    with pytest.raises(ConfigError, match=message) as caught:
        tree_of(*paths)
    assert "answers" in caught.value.hint


def test_the_objective_is_choice_among_labels_plus_a_share_of_the_plain_likelihood():
    found = tree_of((0, 1), (0, 2), (2,), end=3)
    gold = [1, 2]
    trees = [found.with_gold(g) for g in gold]
    assert [(t.tokens, t.parents) for t in trees] == [((0, 2), (-1, 0)), ((0, 2), (-1, -1))]
    logits = torch.randn(2 * 3, 4, generator=torch.Generator().manual_seed(0))
    log_probs = logits.log_softmax(-1).view(2, 3, 4)
    scores = found.scores(logits, 2)
    answers = [scores[0, 1] + log_probs[0, 2, 3], scores[1, 2] + log_probs[1, 2, 3]]
    chosen = [scores[0].log_softmax(0)[1], scores[1].log_softmax(0)[2]]
    expected = -(chosen[0] + chosen[1]) / 2 - FORM * (answers[0] + answers[1]) / 2
    torch.testing.assert_close(found.loss(logits, gold), expected)


def test_paths_with_their_own_end_need_no_further_token():
    found = tree_of((5,), (5, 6))
    assert found.with_gold(0) == found.tree
    assert found.index((5, 6, 99)) == 1
    assert found.index((5, 99)) == 0
