"""The tasks that come with textune: what they say, and the rows and labels of their files."""

from collections import Counter
from dataclasses import replace

import pytest

from textune.core.config import fingerprint
from textune.study.plan import _described
from textune.tasks.base import TaskSpec, library_names, load_task
from textune.tasks.dataset import load_dataset

LABELLED = [n for n in library_names() if load_task(n).kind.name in ("classify", "pair")]
WITHOUT_FILES = {"citation-sample", "questions-sample", "section_function"}
COUNTS = {
    "acl_arc": (
        {
            "Background": 795,
            "Uses": 313,
            "CompareOrContrast": 291,
            "Motivation": 71,
            "Extends": 61,
            "Future": 57,
        },
        {
            "Background": 51,
            "CompareOrContrast": 21,
            "Uses": 21,
            "Motivation": 5,
            "Future": 4,
            "Extends": 4,
        },
    ),
    "chemprot": (
        {
            "INHIBITOR": 1642,
            "INDIRECT-DOWNREGULATOR": 484,
            "SUBSTRATE": 480,
            "INDIRECT-UPREGULATOR": 386,
            "ACTIVATOR": 323,
            "ANTAGONIST": 235,
            "PRODUCT-OF": 233,
            "AGONIST": 156,
            "DOWNREGULATOR": 131,
            "UPREGULATOR": 67,
            "SUBSTRATE_PRODUCT-OF": 14,
            "AGONIST-ACTIVATOR": 10,
            "AGONIST-INHIBITOR": 4,
        },
        {
            "INHIBITOR": 812,
            "SUBSTRATE": 322,
            "INDIRECT-UPREGULATOR": 278,
            "INDIRECT-DOWNREGULATOR": 270,
            "ACTIVATOR": 257,
            "ANTAGONIST": 199,
            "PRODUCT-OF": 130,
            "AGONIST": 111,
            "DOWNREGULATOR": 21,
            "UPREGULATOR": 17,
            "AGONIST-ACTIVATOR": 5,
            "SUBSTRATE_PRODUCT-OF": 5,
        },
    ),
    "citation_integrity": (
        {"SUPPORT": 1365, "REFUTE": 628, "NEI": 143},
        {"SUPPORT": 191, "REFUTE": 101, "NEI": 24},
    ),
    "glue_cola": (
        {"acceptable": 5077, "unacceptable": 2161},
        {"acceptable": 930, "unacceptable": 365},
    ),
    "glue_mnli": (
        {"entailment": 2696, "neutral": 2655, "contradiction": 2610},
        {"entailment": 354, "contradiction": 340, "neutral": 306},
    ),
    "glue_mrpc": ({"paraphrase": 2350, "different": 1111}, {"paraphrase": 338, "different": 146}),
    "glue_rte": (
        {"entailment": 1078, "not_entailment": 1049},
        {"entailment": 171, "not_entailment": 192},
    ),
    "glue_sst2": ({"positive": 3240, "negative": 2986}, {"positive": 368, "negative": 324}),
    "mag_fos": (
        {
            "psychology": 2303,
            "economics": 2256,
            "sociology": 2254,
            "politics": 2222,
            "geography": 2218,
            "medicine": 2216,
            "business": 2207,
        },
        {
            "politics": 841,
            "psychology": 817,
            "business": 808,
            "medicine": 807,
            "economics": 802,
            "geography": 764,
            "sociology": 759,
        },
    ),
    "nli4ct": (
        {"Contradiction": 850, "Entailment": 850},
        {"Contradiction": 100, "Entailment": 100},
    ),
    "qqp": ({"different": 11395, "duplicate": 6421}, {"duplicate": 4963, "different": 4932}),
    "scicite": (
        {"background": 4297, "method": 2038, "result": 985},
        {"background": 538, "method": 255, "result": 123},
    ),
    "sciie_relations": (
        {
            "USED-FOR": 1690,
            "CONJUNCTION": 400,
            "EVALUATE-FOR": 313,
            "HYPONYM-OF": 298,
            "PART-OF": 179,
            "FEATURE-OF": 173,
            "COMPARE": 166,
        },
        {
            "USED-FOR": 214,
            "CONJUNCTION": 59,
            "EVALUATE-FOR": 50,
            "HYPONYM-OF": 44,
            "FEATURE-OF": 32,
            "COMPARE": 29,
            "PART-OF": 27,
        },
    ),
    "scinli": (
        {"contrasting": 500, "entailment": 500, "neutral": 500, "reasoning": 500},
        {"entailment": 515, "contrasting": 512, "reasoning": 488, "neutral": 485},
    ),
    "sick": (
        {"NEUTRAL": 2506, "ENTAILMENT": 1260, "CONTRADICTION": 629},
        {"NEUTRAL": 279, "ENTAILMENT": 140, "CONTRADICTION": 70},
    ),
}
"""Task -> label -> number of rows, of train and of test, as the data folder's readme states."""
PARTS = [(name, part) for name in COUNTS for part in ("train", "test")]
METRICS = {"accuracy", "macro_f1", "positive_f1"}


@pytest.fixture(params=LABELLED)
def task(request: pytest.FixtureRequest) -> TaskSpec:
    return load_task(request.param)


def test_a_task_has_the_name_of_its_file_and_says_where_it_comes_from():
    for name in library_names():
        task = load_task(name)
        assert task.name == name
        assert task.title
        assert task.source
        assert task.licence
        assert task.citation
        assert task.traps


def test_every_label_is_defined_and_has_its_own_readable_word(task):
    assert all(task.labels.values())
    words = list(task.words.values())
    assert len({word.lower() for word in words}) == len(words)
    assert all(word == word.lower() and word.replace(" ", "").isalpha() for word in words)


def test_published_scores_are_percent_of_a_known_metric_and_say_why_they_do_not_compare(task):
    for score in task.published:
        assert score.metric in METRICS
        assert 1 < score.score <= 100
        assert score.system
        assert score.split
        assert score.source
        assert score.comparable or score.note


def test_the_tasks_of_the_two_papers_have_published_scores():
    named = {name for name in LABELLED if load_task(name).published}
    assert named == {"acl_arc", "qqp", "scicite", "scinli"}


def test_every_real_task_with_files_has_its_counts_written_down():
    assert set(COUNTS) == set(LABELLED) - WITHOUT_FILES


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_the_files_hold_the_rows_and_labels_that_their_readme_states(real, name, part):
    train, test = real(name)
    index = ("train", "test").index(part)
    assert Counter((train, test)[index].answers) == COUNTS[name][index]


def test_section_function_waits_for_files_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTUNE_DATA", str(tmp_path))
    (tmp_path / "section_function").mkdir()
    row = '{"text": "We train on two corpora.", "label": "Method", "paper": "a"}\n'
    (tmp_path / "section_function" / "train.jsonl").write_text(row, encoding="utf-8")
    dataset = load_dataset(load_task("section_function"))
    assert dataset.test is None
    assert [(r.answer, r.group) for r in dataset.train] == [("Method", "a")]


@pytest.mark.parametrize(
    ("name", "label", "share"),
    [
        ("acl_arc", "Background", 0.50),
        ("chemprot", "INHIBITOR", 0.39),
        ("sciie_relations", "USED-FOR", 0.53),
        ("glue_cola", "acceptable", 0.70),
        ("sick", "NEUTRAL", 0.57),
        ("citation_integrity", "SUPPORT", 0.64),
        ("citation_integrity", "NEI", 0.07),
        ("glue_rte", "entailment", 0.51),
        ("qqp", "duplicate", 0.36),
    ],
)
def test_shares_in_train_are_as_the_traps_say(name, label, share):
    counts = COUNTS[name][0]
    assert round(counts[label] / sum(counts.values()), 2) == share


@pytest.mark.parametrize(("name", "score"), [("glue_mrpc", 82), ("qqp", 67)])
def test_always_answering_the_positive_label_scores_what_the_traps_say(name, score):
    counts = COUNTS[name][1]
    share = counts[str(load_task(name).positive)] / sum(counts.values())
    assert round(100 * 2 * share / (1 + share)) == score


def test_published_scores_change_no_fingerprint_of_a_cell():
    task = load_task("scicite")
    other = replace(task, published=(), traps=())
    for reads_prompt in (False, True):
        described = [_described(each, reads_prompt=reads_prompt) for each in (task, other)]
        assert fingerprint(described[0]) == fingerprint(described[1])
