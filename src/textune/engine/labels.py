"""LabelTree: the labels of a task as a tree of tokens, scored in one pass.

A label of one token needs no extra input: its score stands at the prompt's last token. Only inner
tokens of longer labels enter the row, shared where labels begin alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from textune.core.errors import ConfigError
from textune.engine.packing import Tree
from textune.models.log_probs import log_probs_at

FORM = 0.02
"""Weight of the answer's plain likelihood in the objective ``labels``: what makes the model write
an answer of the right form, with its end, when another program lets it generate."""


@dataclass(frozen=True)
class LabelTree:
    """Labels as token paths, and the tree of the inner tokens they share."""

    paths: tuple[tuple[int, ...], ...]
    """Tokens of each label, in label order; none begins another."""
    tree: Tree
    """Inner tokens: every path without its last token."""
    read_at: tuple[tuple[int, ...], ...]
    """For each token of each path, the read place that predicts it: 0 is the prompt's end."""
    end: int | None
    """Token that ends an answer; None where the paths have it already."""

    @property
    def num_labels(self) -> int:
        """C."""
        return len(self.paths)

    def index(self, answer: Sequence[int]) -> int:
        """The label that these answer tokens begin with; the end token may follow."""
        return next(i for i, p in enumerate(self.paths) if p == tuple(answer[: len(p)]))

    def with_gold(self, gold: int) -> Tree:
        """The tree with the last token of one label in it too, after which the end is read."""
        if self.end is None:
            return self.tree
        last = self.paths[gold][-1], self.read_at[gold][-1] - 1
        return Tree((*self.tree.tokens, last[0]), (*self.tree.parents, last[1]))

    def loss(self, logits_RV: torch.Tensor, gold: Sequence[int]) -> torch.Tensor:
        """The objective ``labels`` (mean over examples) from logits at the places of rows.

        The read places of an example are its prompt's end and the nodes of ``with_gold``.
        """
        size, device = len(gold), logits_RV.device
        last = len(logits_RV) // size - 1
        ends = () if self.end is None else ((last, self.end),)
        log_probs = self._log_probs(logits_RV, size, ends)
        scores_NC = self._along_paths(log_probs)
        gold_N = torch.tensor(gold, device=device)
        answer_N = scores_NC.gather(1, gold_N[:, None])[:, 0]
        if self.end is not None:
            answer_N = answer_N + log_probs[:, -1]
        return functional.cross_entropy(scores_NC, gold_N) - FORM * answer_N.mean()

    def scores(self, logits_RV: torch.Tensor, size: int) -> torch.Tensor:
        """Log-likelihood (size, C) from logits at ``1 + nodes`` read places an example."""
        return self._along_paths(self._log_probs(logits_RV, size, ()))

    def _log_probs(
        self, logits_RV: torch.Tensor, size: int, further: Sequence[tuple[int, int]]
    ) -> torch.Tensor:
        """Log-probabilities (size, steps) of the tokens of all paths, then of further ones.

        Those are read places of an example with a token. All at once, as each call is a pass over
        the logits, and one more on the way back.
        """
        paths = zip(self.read_at, self.paths, strict=True)
        steps = [step for read, path in paths for step in zip(read, path, strict=True)]
        at, tokens = torch.tensor([*steps, *further], device=logits_RV.device).T
        starts = torch.arange(size, device=at.device)[:, None] * (len(logits_RV) // size)
        words = tokens.expand(size, -1).flatten()
        return log_probs_at(logits_RV, (starts + at).flatten(), words).view(size, -1)

    def _along_paths(self, log_probs: torch.Tensor) -> torch.Tensor:
        """Sums (size, C) of those (size, steps) along each path."""
        lengths = [len(path) for path in self.paths]
        parts = torch.split(log_probs[:, : sum(lengths)], lengths, 1)
        return torch.stack([part.sum(1) for part in parts], 1)


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
        after: int | None = None
    else:
        after = end
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
    return LabelTree(tuple(paths), Tree(tuple(tokens), tuple(parents)), read_at, after)


_HINT = "choose another word for it under 'answers' in the task"
