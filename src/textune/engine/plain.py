"""The plain path: padded batches and whole sequences through the model's own attention.

The reference that packed rows are tested against, and the path of models that cannot be packed.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from textune.engine.decoding import Guide, choose
from textune.engine.labels import FORM, LabelTree
from textune.engine.packing import Item


def answer_loss(model: nn.Module, items: Sequence[Item], *, pad: int = 0) -> torch.Tensor:
    """Mean negative log-likelihood (nats) of all answer tokens, from a right-padded batch.

    ``model`` is called as it is (an adapted model puts in its own virtual tokens).
    """
    sequences = [torch.tensor(item.prompt + item.answer) for item in items]
    ids_BL = nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=pad)
    labels_BL = torch.full_like(ids_BL, -100)
    mask_BL = torch.zeros_like(ids_BL)
    for row, item in enumerate(items):
        start, end = len(item.prompt), len(item.prompt) + len(item.answer)
        labels_BL[row, start:end] = ids_BL[row, start:end]
        mask_BL[row, :end] = 1
    logits = _logits(model, ids_BL, mask_BL)
    return functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), labels_BL[:, 1:].flatten().to(logits.device)
    )


def label_loss(model: nn.Module, items: Sequence[Item], labels: LabelTree) -> torch.Tensor:
    """The objective ``labels`` (``LabelTree.loss``), one sequence at a time; has a gradient."""
    losses = []
    for item in items:
        gold = labels.index(item.answer)
        scores_C = torch.stack([_log_likelihood(model, item.prompt, p) for p in labels.paths])
        answer = _log_likelihood(model, item.prompt, item.answer)
        losses.append(-scores_C.log_softmax(0)[gold] - FORM * answer)
    return torch.stack(losses).mean()


@torch.no_grad()
def label_scores(
    model: nn.Module, prompts: Sequence[Sequence[int]], paths: Sequence[Sequence[int]]
) -> torch.Tensor:
    """Log-likelihood (N, C) of each label after each prompt, one sequence at a time."""
    rows = [torch.stack([_log_likelihood(model, prompt, p) for p in paths]) for prompt in prompts]
    return torch.stack(rows).cpu()


@torch.no_grad()
def decode(
    model: nn.Module, prompt: Sequence[int], guide: Guide, *, end: int, limit: int
) -> tuple[int, ...]:
    """``CausalEngine.decode`` of one prompt; the whole sequence is computed at every step."""
    answer: list[int] = []
    going = True
    while going and len(answer) < limit:
        ids = torch.tensor([[*prompt, *answer]])
        logits = _logits(model, ids, torch.ones_like(ids))
        (token,) = choose(logits[:, -1], [guide])
        if token == end:
            break
        answer.append(token)
        going = guide.take(token)
    return tuple(answer)


def _log_likelihood(
    model: nn.Module, prompt: Sequence[int], answer: Sequence[int]
) -> torch.Tensor:
    """Of an answer's tokens after a prompt, in nats."""
    ids = torch.tensor([[*prompt, *answer]])
    logits = _logits(model, ids, torch.ones_like(ids))
    log_probs = logits[0, len(prompt) - 1 : -1].float().log_softmax(-1)
    return log_probs.gather(1, torch.tensor(answer, device=logits.device)[:, None]).sum()


def _logits(model: nn.Module, ids_BL: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
    """Logits (B, L, vocabulary) of the real tokens; those of virtual tokens are cut off."""
    device = next(model.parameters()).device
    out = model(input_ids=ids_BL.to(device), attention_mask=mask_BL.to(device), use_cache=False)
    logits: torch.Tensor = out.logits
    return logits[:, -ids_BL.shape[1] :]
