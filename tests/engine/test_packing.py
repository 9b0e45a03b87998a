import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from textune.engine.packing import (
    ROUND,
    WASTE,
    Item,
    Tree,
    pack_answers,
    pack_labels,
    pack_prompts,
    pack_whole,
    shared_prefix,
)
from textune.models.tile_attention import ALL, EARLIER

PROMPTS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=6)


@given(PROMPTS)
def test_the_shared_prefix_is_the_longest_that_leaves_a_token_of_each(prompts):
    size = shared_prefix(prompts)
    assert all(p[:size] == prompts[0][:size] and len(p) > size for p in prompts)
    longer = size + 1
    is_longest = any(p[:longer] != prompts[0][:longer] or len(p) <= longer for p in prompts)
    assert is_longest


def test_no_prompts_share_nothing():
    assert shared_prefix([]) == 0


def test_a_training_row_holds_the_prefix_once_and_reads_before_each_answer_token():
    items = [Item((1, 2, 3), (7, 8)), Item((1, 2, 4, 5), (9,))]
    row, targets = pack_answers(items, virtual=4)
    assert row.tokens[:6].tolist() == [1, 2, 3, 7, 4, 5]
    assert row.positions[:10].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 6, 7]
    assert row.layout.prefix == 6
    assert targets.tolist() == [7, 8, 9]
    assert row.read.tolist() == [6, 7, 9]


def test_segments_do_not_see_each_other_and_see_themselves_causally():
    items = [Item((1, 2, 3), (7, 8)), Item((1, 2, 4, 5), (9,))]
    (block,) = pack_answers(items)[0].layout.blocks
    assert block.gather_SL[:, :2].tolist() == [[0, 1], [2, 3]]
    assert block.own_SLL[:, :2, :2].tolist() == [[[True, False], [True, True]]] * 2


def test_rows_and_blocks_are_filled_up_to_few_sizes():
    for length in (1, 40, 70):
        items = [Item((1, *range(2, 2 + length)), (7,)), Item((1, *range(3, 3 + length)), (8,))]
        row, _ = pack_answers(items, virtual=3)
        (block,) = row.layout.blocks
        assert (3 + len(row.tokens)) % ROUND == 0
        assert len(row.positions) == 3 + len(row.tokens)
        assert row.layout.filling == 3 + len(row.tokens) - 4 - len(block.real_T)
        assert block.gather_SL.shape[1] % ROUND == 0
        assert block.own_SLL[:, length:].any(-1).all(), "a padded query must see something"


def test_a_label_row_reads_at_each_prompts_end_and_at_the_nodes_of_its_tree():
    trees = [Tree((10, 11), (-1, 0)), Tree((10, 12), (-1, -1))]
    row = pack_labels([(1, 2, 5, 6), (1, 2, 7)], trees, virtual=1)
    assert row.tokens[:9].tolist() == [1, 2, 5, 6, 10, 11, 7, 10, 12]
    assert row.positions[:10].tolist() == [0, 1, 2, 3, 4, 5, 6, 3, 4, 4]
    assert row.read.tolist() == [4, 5, 6, 7, 8, 9]
    (block,) = row.layout.blocks
    assert block.own_SLL[1, 2, :3].tolist() == [True, False, True]  # 12 does not see 10


def test_tree_tokens_see_their_ancestors_but_not_their_siblings():
    tree = Tree(tokens=(10, 11, 12), parents=(-1, 0, -1))
    row = pack_prompts([(5, 6), (7,)], tree, before=3)
    assert row.tokens[:9].tolist() == [5, 6, 10, 11, 12, 7, 10, 11, 12]
    assert row.positions[:9].tolist() == [3, 4, 5, 6, 5, 3, 4, 5, 4]
    assert row.read.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    first = row.layout.blocks[0].own_SLL[0]
    assert first[3, :5].tolist() == [
        True,
        True,
        True,
        True,
        False,
    ]  # 11 sees all before
    assert first[4, :5].tolist() == [True, True, False, False, True]  # not 10 and 11


def test_depths_count_from_the_prompt():
    assert Tree(tokens=(1, 2, 3), parents=(-1, 0, 1)).depths() == [1, 2, 3]


def test_unlike_lengths_stand_in_blocks_that_waste_little():
    items = [Item((1, *range(9, 9 + n)), (7,)) for n in (300, 4, 280, 4, 290, 4)]
    row, _ = pack_answers(items)
    shapes = [tuple(block.gather_SL.shape) for block in row.layout.blocks]
    assert [s for s, _ in shapes] == [3, 3]  # the prompts share four tokens, the answer is not in
    assert shapes[1][1] < WASTE * 280


def test_segments_say_the_same_as_blocks():
    """Where each stands, what it sees of the prefix, and which of its own tokens see which."""
    tree = Tree((7, 8), (-1, -1))
    prompts = [(1, 2, 3, *[20 + i] * n) for i, n in enumerate((4, 1, 40))]
    row = pack_labels(prompts, [tree] * 3, before=5)
    found, blocks = row.layout.segments, row.layout.blocks
    lengths = [4 + 2, 1 + 2, 40 + 2]
    starts = [3, 3 + 6, 3 + 6 + 3]
    table = found.table_N5.tolist()
    assert table[0] == [0, 3, 5, EARLIER, 0]
    assert [line[:3] for line in table[1:]] == [
        [s, n, 8] for s, n in zip(starts, lengths, strict=True)
    ]
    assert (found.in_row, found.tokens) == (3, 3 + sum(lengths))
    own = [mask for block in blocks for mask in block.own_SLL]
    for (_, length, _, at, width), mask in zip(table[1:], own, strict=True):
        bytes_LL = found.masks[at : at + length * width].view(length, width)
        assert torch.equal(bytes_LL.bool(), mask[:length])
        last = bytes_LL[length - 1]
        assert last[length - 1]
        assert not last[length - 2]  # the other child of the last token


def pack_plain(segments):
    return pack_prompts(segments, Tree(), before=0)


@pytest.mark.parametrize(("pack", "rule"), [(pack_whole, ALL), (pack_plain, EARLIER)])
def test_segments_without_a_tree_need_no_mask(pack, rule):
    found = pack([(5, 6, 7), (8, 9)]).layout.segments
    assert found.table_N5[:, 3].tolist() == [rule, rule]
    assert not found.masks.numel()


@pytest.mark.parametrize(("window", "reaches"), [(None, False), (32, False), (5, True)])
def test_a_window_that_hides_nothing_does_not_count(window, reaches):
    layout = pack_plain([(5,) * 30, (6,) * 9]).layout
    assert layout.reaches(window) == reaches
