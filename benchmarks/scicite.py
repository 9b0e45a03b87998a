"""What comparisons on SciCite share: sentences drawn with a fixed seed, and three instructions."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

Instruction = Literal["short", "usual", "long"]
"""About 50 tokens (labels without definitions), 90 (the task's own) and 300; the default model's
chat template adds 25 to each."""

LONG = {
    "background": (
        "the cited work gives context: what the field knows, why a question matters, what others "
        "have proposed, found or claimed, where a term comes from, or which work is related. The "
        "authors neither use what is cited nor set their own findings against it; the sentence "
        "would read the same if their own study had never been made, as many sentences of an "
        "introduction would"
    ),
    "method": (
        "the authors use what is cited, or build on it: a procedure that they follow, a tool, a "
        "program, a formula, a material, a data set, a questionnaire, a definition or a threshold "
        "that they take over, changed or as it is. The sentence says what was done in this study, "
        "often in the past tense and in the first person or the passive voice, and the work cited "
        "says how it is done"
    ),
    "result": (
        "the authors set their own findings beside those of the cited work: they agree, differ, "
        "confirm, extend or contradict, or a number of theirs is larger or smaller than one that "
        "was published before. The sentence speaks of a finding of this study and of one of the "
        "cited study, also where only one of them is spelt out and the other is only pointed at "
        "by the citation"
    ),
}
"""Definitions in our words, as long as those of a guideline for annotators."""


def prompter_of(
    tokenizer: Any, instruction: Instruction, *, shown: Sequence[Any] = (), context: int = 8192
) -> Any:
    """Textune's prompts of the task."""
    from textune.prompts.tokens import make_prompter
    from textune.prompts.wording import Wording

    task = _task()
    if instruction == "long":
        task = replace(task, labels=LONG)
    wording = Wording(definitions=instruction != "short")
    return make_prompter(task, shown, tokenizer, context=context, wording=wording)


def sentences(part: Literal["train", "test"], size: int) -> Sequence[Any]:
    """So many examples of the training file, or of dev, which is the test part here."""
    from textune.core.seeds import generator
    from textune.tasks.dataset import load_dataset

    dataset = load_dataset(_task())
    examples = dataset.train if part == "train" else dataset.test
    assert examples is not None, "SciCite comes with a dev file"
    return examples.take(generator(0, "benchmark").permutation(len(examples))[:size].tolist()).rows


def shown(shots: int) -> Sequence[Any]:
    """Demonstrations, balanced over the labels."""
    from textune.prompts.choosers.balanced import Balanced
    from textune.tasks.dataset import load_dataset

    task = _task()
    return Balanced().kept(load_dataset(task).train.rows, task, shots, seed=0) if shots else ()


def items_of(prompter: Any, examples: Sequence[Any]) -> Sequence[Any]:
    """Token lists for training: prompts, and answers with their end."""
    from textune.engine.packing import Item

    return [
        Item(prompt, (*prompter.answer(str(example.answer)), prompter.end))
        for example, prompt in zip(examples, prompter.prompts(examples), strict=True)
    ]


def _task() -> Any:
    from textune.tasks.base import load_task

    return load_task("scicite")
