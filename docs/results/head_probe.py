"""Why ``head_only`` is low in ``methods.md``: few steps, and what the frozen features hold.

python docs/results/head_probe.py

Reads the last states of the frozen model for the sentences of ``studies/methods.yaml``, trains the
rows of the head that answer, with the steps of that study and with more, and fits a logistic
regression on the same states to the end.
"""

from pathlib import Path

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from torch.nn import functional

from textune.core.config import read_yaml
from textune.data.examples import Example
from textune.models.catalog import find_model
from textune.models.load import Loaded, load_causal
from textune.prompts.tokens import Prompter, make_prompter
from textune.study.plan import make_plan
from textune.study.spec import build_study
from textune.training.settings import rate_at

STUDY = Path(__file__).parents[2] / "studies" / "methods.yaml"
BATCH = 8
RATES = (1e-5, 1e-4, 1e-3, 2e-3, 6e-3)
STRENGTHS = (0.01, 0.1, 1.0)


def main() -> None:
    """Print macro F1 on the tested sentences."""
    plan = make_plan(build_study(read_yaml(STUDY), where=str(STUDY), beside=STUDY.parent))
    task, cell = plan.study.task, plan.cells[0]
    loaded = load_causal(find_model("smollm2-135m-instruct"), "bfloat16", "none")
    prompter = make_prompter(task, [], loaded.tokenizer, context=loaded.context)
    labels = list(task.labels)
    parts = [plan.examples.take(part).rows for part in (cell.train, cell.test)]
    train_ND, test_ND = (states(loaded, prompter, part) for part in parts)
    gold = [torch.tensor([labels.index(str(e.answer)) for e in part]) for part in parts]
    tokens = [prompter.answer(label)[0] for label in labels]
    head_CD = loaded.model.get_output_embeddings().weight[tokens].float()

    def score(answers: torch.Tensor) -> str:
        return f"{100 * f1_score(gold[1], answers, average='macro'):.1f}"

    for steps in (63, 500):
        for lr in RATES:
            trained_CD = trained(head_CD, train_ND, gold[0], lr=lr, steps=steps)
            print(
                f"{steps} steps, rate {lr:g}: macro F1 {score((test_ND @ trained_CD.T).argmax(1))}"
            )
    for strength in STRENGTHS:
        fitted = LogisticRegression(C=strength, max_iter=5000).fit(train_ND.numpy(), gold[0])
        print(f"logistic regression, C {strength:g}: {score(fitted.predict(test_ND.numpy()))}")


@torch.inference_mode()
def states(loaded: Loaded, prompter: Prompter, examples: tuple[Example, ...]) -> torch.Tensor:
    """The state that the head reads when it answers (N, D)."""
    decoder = loaded.model.get_decoder()
    rows = [
        decoder(torch.tensor([ids])).last_hidden_state[0, -1] for ids in prompter.prompts(examples)
    ]
    return torch.stack(rows).float()


def trained(
    head_CD: torch.Tensor, states_ND: torch.Tensor, gold_N: torch.Tensor, *, lr: float, steps: int
) -> torch.Tensor:
    """The rows of the head after so many steps of AdamW with the study's schedule."""
    weights_CD = head_CD.clone().requires_grad_(True)
    optimiser = torch.optim.AdamW([weights_CD], lr=lr, weight_decay=0.0)
    draw = torch.Generator().manual_seed(0)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = lr * rate_at(step, total=steps, warmup=steps // 10)
        batch = torch.randperm(len(states_ND), generator=draw)[:BATCH]
        loss = functional.cross_entropy(states_ND[batch] @ weights_CD.T, gold_N[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return weights_CD.detach()


if __name__ == "__main__":
    main()
