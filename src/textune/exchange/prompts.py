"""Examples as conversations: the very prompt that textune gives a model, and the answer."""

from textune.data.examples import Example
from textune.prompts.template import messages
from textune.tasks.base import TaskSpec


def conversation(task: TaskSpec, example: Example) -> list[dict[str, str]]:
    """Turns with ``role`` and ``content``; the last one is the answer's."""
    assert example.answer is not None, "an example without gold answer"
    answer = task.kind.written(example.answer, task.words)
    turns = messages(task, (), task.kind.input_text(example))
    return [*turns, {"role": "assistant", "content": answer}]
