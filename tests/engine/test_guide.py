import pytest
from transformers import AutoTokenizer

from textune.core.errors import ModelError
from textune.data.entity_lines import lines_grammar
from textune.engine.guide import GrammarGuide, token_table
from textune.testing import tiny_model_folder

TEXT = 'We use an SVM (3.5 % "best") for\nna\u00efve parsing.'
WORDS = {"method": "Method", "task": "Task"}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tiny_model_folder(tmp_path_factory.mktemp("tiny"), [TEXT, "Method: SVM\nTask: none"])
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def table(tokenizer):
    return token_table(tokenizer)


def may_write(tokenizer, table, written, text=TEXT):
    """Whether every token of an answer is allowed, and the end after it."""
    guide = GrammarGuide(table, "start: answer\n" + lines_grammar(text, WORDS))
    for token in tokenizer(written, add_special_tokens=False)["input_ids"]:
        if token not in guide.allowed().tolist():
            return False
        guide.take(token)
    return tokenizer.eos_token_id in guide.allowed().tolist()


@pytest.mark.parametrize(
    "written",
    [
        "none",
        "Method: SVM",
        "Method: SVM\nTask: na\u00efve parsing",
        "Task: for na\u00efve parsing\nTask: 3.5 %",
        'Task: "best"',
        "Method: SVM\nMethod: SVM",
    ],
)
def test_lines_of_words_of_the_text_may_be_written(tokenizer, table, written):
    assert may_write(tokenizer, table, written)


@pytest.mark.parametrize(
    "written",
    [
        *("", "Method: ", "Method: VM", "Method: SV", "Method: SVM ", "Method:  SVM"),
        *("Task: naive", "Metric: SVM", "none\nTask: SVM"),
    ],
)
def test_nothing_else_may_be_written(tokenizer, table, written):
    assert not may_write(tokenizer, table, written)


def test_an_answer_that_nothing_can_follow_has_ended(tokenizer, table):
    guide = GrammarGuide(table, 'start: "none"')
    going = [guide.take(t) for t in tokenizer("none", add_special_tokens=False)["input_ids"]]
    assert going[-1] is False or guide.allowed().tolist() == [tokenizer.eos_token_id]


def test_a_wrong_grammar_is_one_line(table):
    with pytest.raises(ModelError, match=r"kept to its form") as caught:
        GrammarGuide(table, "start: nothing_here")
    assert "\n" not in caught.value.message


def test_a_tokenizer_that_does_not_say_what_its_tokens_are_is_refused():
    class Slow:
        eos_token_id = 2

    with pytest.raises(ModelError, match=r"cannot follow a grammar"):
        token_table(Slow())
