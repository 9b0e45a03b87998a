"""The benchmark's files and Quora's release, as they are shipped."""

import pytest

from textune.core.errors import DataError
from textune.data.readers.base import recognised
from textune.data.readers.glue import Glue
from textune.data.readers.quora import Quora
from textune.tasks.base import load_task
from textune.tasks.dataset import load_dataset, task_from_file

FILES = {
    "CoLA/train.tsv": "gj04\t1\t\tOur friends won't buy this \"one.\ngj04\t0\t*\tThem ran.\n",
    "CoLA/test.tsv": "index\tsentence\n0\tBill whistled.\n",
    "SST-2/train.tsv": "sentence\tlabel\nhide new secretions \t0\n",
    "SST-2/test.tsv": "index\tsentence\n0\tuneasy mishmash .\n",
    "MRPC/train.tsv": "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    '1\t702876\t702977\t"He said " yes .\tHe said no .\n',
    "MRPC/test.tsv": "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t1\t2\tA .\tB .\n",
    "QQP/train.tsv": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
    "1\t2\t3\tHow ?\tWhy ?\t0\n4\t5\t6\tIs it\ncut ?\tYes ?\t1\n7\t8\t9\tA ?\tB ?\t1\n",
    "QQP/test.tsv": "id\tquestion1\tquestion2\n0\tA ?\tB ?\n",
    "STS-B/train.tsv": "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\t"
    "sentence2\tscore\n0\tm\tM\t2012\t1\tn\tn\tA plane .\tAn air plane .\t5.000\n",
    "MNLI/dev_matched.tsv": "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\t"
    "sentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\t"
    "gold_label\n0\t1\t1n\tg\t( a )\t( b )\t(R a)\t(R b)\tA.\tB.\tneutral\tentailment\n",
    "QNLI/train.tsv": "index\tquestion\tsentence\tlabel\n0\tWhen?\tIn 1990.\tentailment\n",
    "RTE/train.tsv": "index\tsentence1\tsentence2\tlabel\n0\tNo.\tYes.\tnot_entailment\n",
    "WNLI/train.tsv": "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\t1\n",
}


@pytest.fixture
def glue(tmp_path):
    """A folder of the benchmark with a few rows."""
    for name, content in FILES.items():
        (tmp_path / "GLUE" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "GLUE" / name).write_text(content, encoding="utf-8")
    return tmp_path / "GLUE"


def pair(first, second, **others):
    return {"sentence1": first, "sentence2": second, **others}


@pytest.mark.parametrize(
    ("place", "rows"),
    [
        (
            "CoLA",
            [
                (1, {"sentence": "Our friends won't buy this \"one.", "label": "1"}),
                (2, {"sentence": "Them ran.", "label": "0"}),
            ],
        ),
        ("CoLA#test", [(2, {"index": "0", "sentence": "Bill whistled."})]),
        ("SST-2", [(2, {"sentence": "hide new secretions ", "label": "0"})]),
        ("SST-2/test.tsv", [(2, {"index": "0", "sentence": "uneasy mishmash ."})]),
        ("MRPC", [(2, pair('"He said " yes .', "He said no .", label="1"))]),
        ("MRPC#test", [(2, {"index": "0"} | pair("A .", "B ."))]),
        (
            "QQP",
            [
                (2, {"index": "1"} | pair("How ?", "Why ?", label="0")),
                (5, {"index": "7"} | pair("A ?", "B ?", label="1")),
            ],
        ),
        ("QQP#test", [(2, {"index": "0"} | pair("A ?", "B ?"))]),
        ("STS-B", [(2, {"index": "0"} | pair("A plane .", "An air plane .", label="5.000"))]),
        ("MNLI#dev_matched", [(2, {"index": "0"} | pair("A.", "B.", label="entailment"))]),
        ("QNLI", [(2, {"index": "0"} | pair("When?", "In 1990.", label="entailment"))]),
        ("RTE", [(2, {"index": "0"} | pair("No.", "Yes.", label="not_entailment"))]),
        ("WNLI", [(2, {"index": "0"} | pair("A.", "B.", label="1"))]),
    ],
)
def test_every_task_of_the_benchmark_has_the_same_fields(glue, place, rows):
    assert list(Glue().rows(glue / place)) == rows


def test_a_part_that_is_not_there_gets_a_suggestion(glue):
    with pytest.raises(DataError, match="MNLI has no part 'dev_mached'") as caught:
        list(Glue().rows(glue / "MNLI#dev_mached"))
    assert caught.value.hint == "did you mean 'dev_matched'?"


def test_a_test_file_may_not_lose_a_row(glue):
    (glue / "QQP" / "test.tsv").write_text("id\tquestion1\tquestion2\n0\tA\nB ?\tC ?\n")
    with pytest.raises(DataError, match="line 2: 2 fields, not 3"):
        list(Glue().rows(glue / "QQP#test"))


TASK = """\
name: cola
kind: classify
instruction: Decide.
labels: {fine: "", odd: ""}
data:
  train: GLUE/CoLA
  test: GLUE/CoLA#train
  format: glue
  columns: {text: sentence, answer: label}
  values: {"1": fine, "0": odd}
"""


def test_a_task_may_point_to_a_folder_of_the_benchmark(glue, tmp_path, monkeypatch):
    (tmp_path / "cola.yaml").write_text(TASK, encoding="utf-8")
    monkeypatch.setenv("TEXTUNE_DATA", str(tmp_path))
    dataset = load_dataset(load_task("cola.yaml", beside=tmp_path))
    assert dataset.train.answers == dataset.test.answers == ["fine", "odd"]


def test_a_folder_of_the_benchmark_makes_a_task(glue):
    task = task_from_file(glue / "QQP", format="glue")
    assert (task.name, task.kind.name, task.positive) == ("QQP", "pair", "1")


QUORA = """\
"id"\t"qid1"\t"qid2"\t"question1"\t"question2"\t"is_duplicate"
"0"\t"1"\t"2"\t"What is ""it""?"\t"Tab\there
and a line"\t"0"
"1"\t"3"\t"4"\t""\t"Is this one?"\t"0"
2\t5\t6\tHow "odd" is it?\t"How" odd?\t1
"""


def test_quora_has_quotes_and_line_breaks_and_leaves_empty_questions_out(tmp_path):
    path = tmp_path / "quora_duplicate_questions.tsv"
    path.write_text(QUORA, encoding="utf-8")
    rows = [(n, row["question1"], row["question2"]) for n, row in Quora().rows(path)]
    assert rows == [
        (2, 'What is "it"?', "Tab\there\nand a line"),
        (5, 'How "odd" is it?', "How odd?"),
    ]
    assert recognised(path) == "quora"
    assert task_from_file(path).data.format == "quora"


def test_kaggles_copy_of_quora_is_comma_separated(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text('id,qid1,qid2,question1,question2,is_duplicate\n0,1,2,"A, b?",C?,1\n')
    ((_, row),) = Quora().rows(path)
    assert (row["question1"], row["is_duplicate"]) == ("A, b?", "1")


def test_a_quote_that_swallows_a_pair_is_found(tmp_path):
    path = tmp_path / "a.tsv"
    head = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
    path.write_text(f'{head}0\t1\t2\t"A?\tB?\t0\n1\t3\t4\tC?\tD"\tE?\t1\n')
    with pytest.raises(DataError, match=r"a\.tsv, line 2: ") as caught:
        list(Quora().rows(path))
    assert "quote" in caught.value.hint
