"""LabelTree: the labels of a task as a tree of tokens, scored in one pass.

A label of one token needs no extra input: its score stands at the prompt's last token. Only inner
tokens of longer labels enter the row, shared where labels begin alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from textune.core.errors import ConfigError
from textune.engine.packing import Tree


@dataclass(frozen=True)
class LabelTree:
    """Labels as token paths, and the tree of the inner tokens they share."""

    paths: tuple[tuple[int, ...], ...]
    """Tokens of each label, in label order; none begins another."""
    tree: Tree
    """Inner tokens: every path without its last token."""
    read_at: tuple[tuple[int, ...], ...]
    """For each token of each path, the read place that predicts it: 0 is the prompt's end."""

    @property
    def num_labels(self) -> int:
        """C."""
        return len(self.paths)

    def scores(self, logits_RV: torch.Tensor, size: int) -> torch.Tensor:
        """Log-likelihood (size, C) from logits at ``1 + nodes`` read places an example."""
        places = 1 + len(self.tree.tokens)
        log_probs = logits_RV.log_softmax(-1).view(size, places, -1)
        columns = [
            sum(
                (log_probs[:, at, token] for at, token in zip(read, path, strict=True)),
                start=log_probs.new_zeros(size),
            )
            for path, read in zip(self.paths, self.read_at, strict=True)
        ]
        return torch.stack(columns, dim=1)


def label_tree(answers: Sequence[Sequence[int]], end: int, names: Sequence[str]) -> LabelTree:
    """The tree of these answers; each gets the end token where one answer begins another.

    Raises:
        ConfigError: two labels come out as the same tokens, or a label as none.
    """
    paths = [tuple(a) for a in answers]
    for name, path in zip(names, paths, strict=True):
        if not path:
            raise ConfigError(f"the tokenizer turns label {name!r} into nothing", hint=_HINT)
        if paths.count(path) > 1:
            raise ConfigError(f"the tokenizer cannot tell label {name!r} from another", hint=_HINT)
    if any(a != b and b[: len(a)] == a for a in paths for b in paths):
        paths = [(*p, end) for p in paths]
    nodes: dict[tuple[int, ...], int] = {}
    tokens: list[int] = []
    parents: list[int] = []
    for path in paths:
        for length in range(1, len(path)):
            if path[:length] not in nodes:
                nodes[path[:length]] = len(tokens)
                tokens.append(path[length - 1])
                parents.append(nodes.get(path[: length - 1], -1))
    read_at = tuple(
        tuple(0 if i == 0 else 1 + nodes[path[:i]] for i in range(len(path))) for path in paths
    )
    return LabelTree(tuple(paths), Tree(tuple(tokens), tuple(parents)), read_at)


_HINT = "choose another word for it under 'answers' in the task"
