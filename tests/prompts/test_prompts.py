import copy
from dataclasses import replace

import pytest
from tokenizers.processors import TemplateProcessing

from textune.core.errors import DataError
from textune.data.entities import entity, write_entities
from textune.data.examples import Example
from textune.prompts.choosers.balanced import Balanced
from textune.prompts.template import build_prompt, instruction_text, messages
from textune.prompts.tokens import make_prompter
from textune.tasks.base import DataSpec, load_task
from textune.testing import tiny_model_folder

TASK = load_task("citation-sample")
PAIRS = load_task("questions-sample")
SHOWN = [Example("1", ("We use [3].",), "method"), Example("2", ("As in [4].",), "result")]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    from transformers import AutoTokenizer

    texts = [instruction_text(TASK), instruction_text(PAIRS), "We use the method of Rao [3]."]
    return AutoTokenizer.from_pretrained(tiny_model_folder(tmp_path_factory.mktemp("m"), texts))


class NoTemplate:
    chat_template = None


def test_the_instruction_names_every_answer_word_with_its_definition():
    text = instruction_text(PAIRS)
    assert "- yes: both ask the same thing" in text
    assert "- no: " in text


def test_demonstrations_are_turns_and_the_instruction_opens_the_first():
    turns = messages(TASK, SHOWN, "Text: x")
    assert [t["role"] for t in turns] == ["user", "assistant"] * 2 + ["user"]
    assert turns[0]["content"].startswith(TASK.instruction.strip())
    assert turns[0]["content"].endswith("Text: We use [3].")
    assert [turns[1]["content"], turns[3]["content"]] == ["method", "result"]
    assert turns[4]["content"] == "Text: x"


def test_a_prompt_with_its_hole_filled_is_what_the_chat_template_renders(tokenizer):
    prompt = build_prompt(TASK, SHOWN, tokenizer)
    expected = tokenizer.apply_chat_template(
        messages(TASK, SHOWN, "Text: {{ hostile }} <end>"),
        tokenize=False,
        add_generation_prompt=True,
    )
    assert prompt.text("Text: {{ hostile }} <end>") == expected


def test_a_model_without_chat_template_gets_plain_text_that_ends_where_it_answers():
    text = build_prompt(TASK, SHOWN, NoTemplate()).text("Text: x")
    assert text.endswith("As in [4].\nAnswer: result\n\nText: x\nAnswer:")


def test_plain_text_opens_as_the_tokenizer_opens_it(tokenizer):
    bare, opening = copy.deepcopy(tokenizer), copy.deepcopy(tokenizer)
    bare.chat_template = opening.chat_template = None
    opening.backend_tokenizer.post_processor = TemplateProcessing(
        single="<start> $A", special_tokens=[("<start>", opening.bos_token_id)]
    )
    example = Example("a", ("We use the method of Rao [3].",))
    without, with_start = (
        make_prompter(TASK, SHOWN, each, context=1024).prompts([example])[0]
        for each in (bare, opening)
    )
    assert with_start == (tokenizer.bos_token_id, *without)
    assert without[0] != tokenizer.bos_token_id


def test_tokens_are_those_of_the_whole_prompt(tokenizer):
    prompter = make_prompter(TASK, SHOWN, tokenizer, context=1024)
    example = Example("a", ("We use the method of Rao [3].",))
    text = prompter.prompt.text("Text: We use the method of Rao [3].")
    assert (
        list(prompter.prompts([example])[0]) == tokenizer(text, add_special_tokens=False).input_ids
    )


def test_inputs_that_do_not_fit_are_cut_at_the_end_of_the_longer_text(tokenizer):
    prompter = make_prompter(PAIRS, [], tokenizer, context=400)
    long = Example("a", ("short question", "very long question " * 300))
    ids = prompter.prompts([long])[0]
    assert len(ids) <= prompter.room < 400
    text = prompter.prompt.text("Text 1: short question\nText 2: very long question")
    kept = tokenizer(text, add_special_tokens=False).input_ids
    assert list(ids[: len(kept) - 40]) == kept[:-40]  # instruction and the short text are whole
    after = tokenizer(prompter.prompt.after, add_special_tokens=False).input_ids
    assert list(ids[-len(after) :]) == after
    assert prompter.num_cut([long, Example("b", ("x", "y"))]) == 1


def test_an_instruction_longer_than_the_context_is_an_error_that_names_the_example(tokenizer):
    prompter = make_prompter(TASK, [], tokenizer, context=30)
    with pytest.raises(DataError, match="example a: the instruction alone"):
        prompter.prompts([Example("a", ("We use [3].",))])


def balanced(examples, task, shots, seed):
    return Balanced().kept(examples, task, shots, seed=seed)


def train(counts):
    return [
        Example(f"{label}{i}", ("text",), label) for label, n in counts.items() for i in range(n)
    ]


def task_of(labels):
    return replace(TASK, labels=dict.fromkeys(labels, ""), answers={}, data=DataSpec(train="x"))


@pytest.mark.parametrize("shots", [1, 2, 3, 4, 7])
def test_demonstrations_are_as_even_as_the_number_allows(shots):
    labels = ["a", "b", "c"]
    chosen = balanced(train({"a": 9, "b": 5, "c": 4}), task_of(labels), shots, seed=0)
    counts = [sum(e.answer == label for e in chosen) for label in labels]
    assert sum(counts) == shots == len({e.id for e in chosen})
    assert max(counts) - min(counts) <= 1


def test_demonstrations_repeat_with_the_seed_and_change_with_it():
    examples = train({"a": 9, "b": 9})
    one, again, other = (balanced(examples, task_of(["a", "b"]), 4, seed) for seed in (0, 0, 1))
    assert one == again != other


def test_too_few_examples_of_a_label_are_named():
    with pytest.raises(DataError, match="'b', there are 1"):
        balanced(train({"a": 9, "b": 1}), task_of(["a", "b"]), 4, 0)


ENTITIES = load_task("scierc")


def entity_example(text, *surfaces):
    found = [entity(text, text.index(s), text.index(s) + len(s), "Task") for s in surfaces]
    return Example(text[:9], (text,), write_entities(found))


def test_a_prompt_for_entities_names_the_types_and_the_form_of_lines():
    text = instruction_text(ENTITIES)
    assert "Types:\n- Task: a problem" in text
    assert "its type, a colon" in text
    assert "Answer with one of these" not in text


def test_demonstrations_of_entities_have_some_and_are_written_as_lines():
    rows = [entity_example(f"number {i} is parsing trees", "parsing") for i in range(3)]
    rows += [entity_example(f"text {i}") for i in range(20)]
    shown = balanced(rows, ENTITIES, 2, seed=0)
    assert len(shown) == 2
    assert all(e in rows[:3] for e in shown)
    assert messages(ENTITIES, shown, "Text: x")[1]["content"] == "Task: parsing"
    with pytest.raises(DataError, match=r"4 training examples of 'some', there are 3"):
        balanced(rows, ENTITIES, 4, seed=0)


def test_room_is_left_for_entities_that_are_written(tokenizer):
    prompter = make_prompter(ENTITIES, [], tokenizer, context=1000)
    assert (prompter.room, prompter.left) == (750, 250)
