"""A linear-chain conditional random field: scores of whole tag sequences, and the best of them.

Lafferty, McCallum and Pereira (2001), section 3, over the scores of a network as in Lample et al.
(2016), section 2.2. A sequence y of length L scores ::

    begin[y_1] + sum_t emission[t, y_t] + sum_t transition[y_t-1, y_t] + end[y_L]

and its likelihood is the softmax of that over all sequences that the tagging scheme allows. What
it forbids has no share in training either, which is never worse than to forbid it in decoding
alone (Papay, Klinger and Pado, 2022, "Constraining linear-chain CRFs to regular languages").
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from textune.data.tags import may_follow

NEVER = float("-inf")


class LinearChain(nn.Module):
    """Scores of tags (IOB2) next to each other.

    Legend: B sequences, padded to L places, of which ``lengths_B`` (1 or more) are theirs; C tags;
    R places of all sequences, one after the other. All scores start at zero: of the sequences that
    are allowed, emissions alone decide.
    """

    allowed_CC: torch.Tensor
    may_begin_C: torch.Tensor

    def __init__(self, tags: Sequence[str]) -> None:
        super().__init__()
        self.begin_C = nn.Parameter(torch.zeros(len(tags)))
        self.transition_CC = nn.Parameter(torch.zeros(len(tags), len(tags)))
        self.end_C = nn.Parameter(torch.zeros(len(tags)))
        allowed = [[may_follow(before, tag) for tag in tags] for before in tags]
        may_begin = [may_follow("O", tag) for tag in tags]
        self.register_buffer("allowed_CC", torch.tensor(allowed), persistent=False)
        self.register_buffer("may_begin_C", torch.tensor(may_begin), persistent=False)

    def loss(
        self, emissions_RC: torch.Tensor, tags_R: torch.Tensor, lengths: Sequence[int]
    ) -> torch.Tensor:
        """Negative log-likelihood of sequences, for each place; 0 where there is none."""
        if not len(tags_R):
            return emissions_RC.sum()
        emissions_BLC, lengths_B = _padded(emissions_RC, lengths)
        tags_BL, _ = _padded(tags_R, lengths)
        return -self.log_likelihood(emissions_BLC, tags_BL, lengths_B).sum() / len(tags_R)

    def tags(self, emissions_RC: torch.Tensor, lengths: Sequence[int]) -> list[list[int]]:
        """The likeliest tags of each sequence; none for one without places."""
        if not len(emissions_RC):
            return [[] for _ in lengths]
        paths = iter(self.best(*_padded(emissions_RC, lengths)))
        return [next(paths) if length else [] for length in lengths]

    def log_likelihood(
        self, emissions_BLC: torch.Tensor, tags_BL: torch.Tensor, lengths_B: torch.Tensor
    ) -> torch.Tensor:
        """Log-likelihood (B) of tag sequences; minus infinity where the rules forbid one."""
        scores_B = self._scores(emissions_BLC, tags_BL, lengths_B)
        return scores_B - self._log_partition(emissions_BLC, lengths_B)

    @torch.no_grad()
    def best(self, emissions_BLC: torch.Tensor, lengths_B: torch.Tensor) -> list[list[int]]:
        """The likeliest tags of each sequence (Viterbi, 1967)."""
        begin_C, transition_CC = self._ruled()
        score_BC = begin_C + emissions_BLC[:, 0]
        came_from = []
        for emission_BC, goes_on_B1 in _later(emissions_BLC, lengths_B):
            best_BC, before_BC = (score_BC.unsqueeze(2) + transition_CC).max(1)
            score_BC = torch.where(goes_on_B1, best_BC + emission_BC, score_BC)
            came_from.append(before_BC.tolist())
        last_B = (score_BC + self.end_C).argmax(1).tolist()
        paths = []
        for row, (tag, length) in enumerate(zip(last_B, lengths_B.tolist(), strict=True)):
            path = [tag]
            for before in reversed(came_from[: length - 1]):
                path.append(before[row][path[-1]])
            paths.append(path[::-1])
        return paths

    def _scores(
        self, emissions_BLC: torch.Tensor, tags_BL: torch.Tensor, lengths_B: torch.Tensor
    ) -> torch.Tensor:
        begin_C, transition_CC = self._ruled()
        places_L = torch.arange(tags_BL.shape[1], device=tags_BL.device)
        is_there_BL = places_L < lengths_B[:, None]
        emitted_BL = emissions_BLC.gather(2, tags_BL.unsqueeze(2)).squeeze(2)
        moved_BM = transition_CC[tags_BL[:, :-1], tags_BL[:, 1:]]
        last_B = tags_BL.gather(1, lengths_B[:, None] - 1).squeeze(1)
        return (
            begin_C[tags_BL[:, 0]]
            + torch.where(is_there_BL, emitted_BL, 0).sum(1)
            + torch.where(is_there_BL[:, 1:], moved_BM, 0).sum(1)
            + self.end_C[last_B]
        )

    def _log_partition(self, emissions_BLC: torch.Tensor, lengths_B: torch.Tensor) -> torch.Tensor:
        """Logarithm (B) of the sum over all sequences, by the forward algorithm."""
        begin_C, transition_CC = self._ruled()
        alpha_BC = begin_C + emissions_BLC[:, 0]
        for emission_BC, goes_on_B1 in _later(emissions_BLC, lengths_B):
            after_BC = (alpha_BC.unsqueeze(2) + transition_CC).logsumexp(1) + emission_BC
            alpha_BC = torch.where(goes_on_B1, after_BC, alpha_BC)
        return (alpha_BC + self.end_C).logsumexp(1)

    def _ruled(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores of beginnings and transitions, minus infinity for what is forbidden."""
        return (
            self.begin_C.masked_fill(~self.may_begin_C, NEVER),
            self.transition_CC.masked_fill(~self.allowed_CC, NEVER),
        )


def _later(
    emissions_BLC: torch.Tensor, lengths_B: torch.Tensor
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """For each place after the first its emissions (B, C), and which sequences (B, 1) reach it."""
    return [
        (emission_BC, (place < lengths_B).unsqueeze(1))
        for place, emission_BC in enumerate(emissions_BLC.unbind(1)[1:], start=1)
    ]


def _padded(rows_R: torch.Tensor, lengths: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences that are not empty, out of all their rows (R, ...): (B, L, ...), and lengths."""
    parts = [part for part in torch.split(rows_R, list(lengths)) if len(part)]
    lengths_B = torch.tensor([len(part) for part in parts], device=rows_R.device)
    return pad_sequence(parts, batch_first=True), lengths_B
