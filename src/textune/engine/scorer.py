"""LabelScorer: examples in, label probabilities out, by likelihood under a causal model."""

from collections.abc import Sequence
from dataclasses import dataclass

from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.engine.causal import CausalEngine
from textune.engine.labels import LabelTree, label_tree
from textune.engine.packing import Item
from textune.prompts.tokens import Prompter


@dataclass(frozen=True)
class LabelScorer:
    """Scores the closed label set of a task."""

    engine: CausalEngine
    prompter: Prompter
    tree: LabelTree

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """Answers with the highest likelihood; scores (N, C) are normalised over the labels."""
        labels = list(self.prompter.task.labels)
        if not examples:
            return Predictions([])
        log_NC = self.engine.label_scores(self.prompter.prompts(examples), self.tree)
        scores_NC = log_NC.double().softmax(-1).numpy()
        return Predictions([labels[i] for i in scores_NC.argmax(1)], scores_NC)

    def items(self, examples: Sequence[Example]) -> list[Item]:
        """What training reads of these examples."""
        return training_items(self.prompter, examples, self.prompter.prompts(examples))


def training_items(
    prompter: Prompter, examples: Sequence[Example], prompts: Sequence[tuple[int, ...]]
) -> list[Item]:
    """The prompts of examples, each with its gold answer and the end token."""
    return [
        Item(prompt, (*prompter.answer(str(e.answer)), prompter.end))
        for e, prompt in zip(examples, prompts, strict=True)
    ]


def make_scorer(engine: CausalEngine, prompter: Prompter) -> LabelScorer:
    """The scorer of a prompter's task.

    Raises:
        ConfigError: the tokenizer cannot tell two labels apart.
    """
    names = list(prompter.task.labels)
    tree = label_tree([prompter.answer(n) for n in names], prompter.end, names)
    return LabelScorer(engine, prompter, tree)
