import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core.errors import DataError
from textune.data.readers.brat import Brat
from textune.data.readers.conll import Conll
from textune.data.readers.dygie import Dygie
from textune.data.tags import joined, spans_of

SPAN_LISTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from(["Task", "Method"])),
    max_size=5,
)


def laid_out(steps):
    """Spans that do not overlap, and the number of tokens they need."""
    spans, at = [], 0
    for gap, length, kind in steps:
        spans.append((at + gap, at + gap + length, kind))
        at += gap + length
    return spans, at + 1


def tagged(spans, size, scheme):
    tags, before = ["O"] * size, None
    for start, end, kind in spans:
        neighbours = before == (start, kind)
        for place in range(start, end):
            letter = "I"
            if place == start and (scheme != "IOB1" or neighbours):
                letter = "B"
            if scheme == "BIOES" and place == end - 1:
                letter = "S" if end - start == 1 else "E"
            if scheme == "BILOU" and place == end - 1:
                letter = "U" if end - start == 1 else "L"
            tags[place] = f"{letter}-{kind}"
        before = (end, kind)
    return tags


@given(SPAN_LISTS, st.sampled_from(["IOB1", "IOB2", "BIOES", "BILOU"]))
def test_every_scheme_is_read_as_it_is_meant(steps, scheme):
    spans, size = laid_out(steps)
    assert list(spans_of(tagged(spans, size, scheme))) == spans


def test_entities_of_one_token_may_be_tagged_as_insides():
    tags = ["I-Entity", "O", "B-Entity", "I-Entity", "O", "I-Entity"]
    assert [span[:2] for span in spans_of(tags)] == [(0, 1), (2, 4), (5, 6)]


def test_a_type_that_changes_inside_opens_another_entity():
    assert list(spans_of(["B-Task", "I-Method"])) == [(0, 1, "Task"), (1, 2, "Method")]


@given(SPAN_LISTS, st.lists(st.text("abé", min_size=1, max_size=4), min_size=40, max_size=40))
def test_characters_of_a_joined_entity_are_its_tokens(steps, words):
    spans, size = laid_out(steps)
    tokens = words[:size]
    text, entities = joined(tokens, spans)
    assert text.split(" ") == tokens
    for (first, after, kind), (start, end, type_) in zip(spans, entities, strict=True):
        assert (text[start:end], type_) == (" ".join(tokens[first:after]), kind)


CONLL = """\
-DOCSTART- (17)

Naloxone	PROPN	O	I-Drug
reverses	VERB	O	O

the	DET	O	O
beta blocker	NOUN	O	B-Drug
-DOCSTART- (18)

End NN O O
"""


def test_conll_has_sentences_with_documents_and_offsets(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text(CONLL)
    assert list(Conll().rows(path)) == [
        (3, {"text": "Naloxone reverses", "entities": [[0, 8, "Drug"]], "document": "a 1"}),
        (6, {"text": "the beta blocker", "entities": [[4, 16, "Drug"]], "document": "a 1"}),
        (10, {"text": "End", "entities": [], "document": "a 2"}),
    ]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("a O\nb\n", r"line 2: no token and tag"),
        ("a\t\n", r"line 1: no token and tag"),
        ("a B-X\n\nb X\n", r"line 3: unknown tag 'X'"),
        ("a B-\n", r"line 1: unknown tag 'B-'"),
        ("a Q-Task\n", r"line 1: unknown tag 'Q-Task'"),
        ("\ta\n", r"line 1: no token and tag"),
        (b"a O\n\xff O\n", r"line 2: not UTF-8"),
        (b"a\0 O\n", r"line 1: holds a NUL byte"),
    ],
)
def test_broken_conll_names_the_line(tmp_path, content, error):
    path = tmp_path / "a.conll"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=f"a.conll, {error}"):
        list(Conll().rows(path))


DOCUMENT = {
    "doc_key": "J87",
    "sentences": [["We", "parse", "."], ["It", "is", "Thai"]],
    "ner": [[[1, 1, "Task"]], [[5, 5, "Material"], [3, 5, "Generic"]]],
}


def dygie(tmp_path, *documents):
    path = tmp_path / "a.jsonl.gz"
    lines = (json.dumps(d) if isinstance(d, dict) else d for d in documents)
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def test_dygie_counts_tokens_through_the_document_and_includes_the_last(tmp_path):
    rows = list(Dygie().rows(dygie(tmp_path, DOCUMENT)))
    assert rows == [
        (
            1,
            {"text": "We parse .", "entities": [[3, 8, "Task"]], "document": "J87", "sentence": 1},
        ),
        (
            1,
            {
                "text": "It is Thai",
                "entities": [[6, 10, "Material"], [0, 10, "Generic"]],
                "document": "J87",
                "sentence": 2,
            },
        ),
    ]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"ner": [[[1, 1, "Task"]]]}, "2 sentences, entities for 1"),
        ({"ner": [[[3, 3, "Task"]], []]}, "tokens 3 to 3 are not in sentence 1"),
        ({"ner": [[[2, 1, "Task"]], []]}, "tokens 2 to 1 are not in sentence 1"),
        ({"ner": [[[1, "Task"]], []]}, "not enough values"),
        ({"ner": [[["a", "b", "Task"]], []]}, "not supported"),
        ({"sentences": None}, "'NoneType'"),
    ],
)
def test_a_broken_document_names_its_line(tmp_path, change, error):
    path = dygie(tmp_path, DOCUMENT, DOCUMENT | change)
    with pytest.raises(DataError, match=f"line 2: no document of sentences.*{error}"):
        list(Dygie().rows(path))


def test_a_document_without_entities_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match=r"line 1: .*no 'ner'"):
        list(Dygie().rows(dygie(tmp_path, {"sentences": []})))


def brat(tmp_path, name, text, annotations):
    (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    (tmp_path / f"{name}.ann").write_text(annotations, encoding="utf-8")
    return tmp_path / f"{name}.ann"


def test_brat_reads_a_document_or_a_folder_of_them(tmp_path):
    brat(
        tmp_path,
        "b",
        "Zoë sleeps",
        "T1\tPerson 0 3\tZoë\nR1\tOf Arg1:T1 Arg2:T1\n#1\tNote T1\tx\n",
    )
    path = brat(tmp_path, "a", "two\nlines", "T1\tThing 0 9\ttwo lines\nT2\tThing 4 9\tlines\n")
    one = {"text": "two\nlines", "entities": [[0, 9, "Thing"], [4, 9, "Thing"]], "document": "a"}
    two = {"text": "Zoë sleeps", "entities": [[0, 3, "Person"]], "document": "b"}
    assert list(Brat().rows(path)) == [(1, one)]
    assert list(Brat().rows(tmp_path)) == [(1, one), (2, two)]


@pytest.mark.parametrize(
    ("annotations", "error"),
    [
        ("T1\tPerson 0 2\tZoë\n", r"T1 is 'Zoë', the text has 'Zo' at 0 to 2"),
        ("T1\tPerson 0 1;2 3\tZ ë\n", r"T1 has several parts"),
        ("T1\tPerson 0\tZ\n", r"no entity"),
        ("T1 Person 0 3 Zoë\n", r"no entity"),
        ("T1\tPerson 0 99\tZoë sleeps well\n", r"T1 is 'Zoë sleeps well'"),
        ("T1\tPerson -1 3\tZoë\n", r"no entity"),
    ],
)
def test_broken_annotations_name_the_line(tmp_path, annotations, error):
    path = brat(tmp_path, "a", "Zoë sleeps", f"#1\tfirst line\n{annotations}")
    with pytest.raises(DataError, match=rf"a\.ann, line 2: .*{error}"):
        list(Brat().rows(path))


def test_annotations_without_their_text_are_refused(tmp_path):
    (tmp_path / "a.ann").write_text("")
    with pytest.raises(DataError, match=r"no such file: .*a\.txt"):
        list(Brat().rows(tmp_path / "a.ann"))


@pytest.mark.parametrize(
    ("file", "reader", "sentences", "entities", "documents"),
    [
        ("scierc/train_ner.conll.gz", Conll(), 1861, 5572, 350),
        ("scierc/dev_ner.conll.gz", Conll(), 275, 808, 50),
        ("scierc/train_docs.jsonl.gz", Dygie(), 1861, 5598, 350),
        ("scierc/dev_docs.jsonl.gz", Dygie(), 275, 811, 50),
        ("bc5cdr/train_ner.conll.gz", Conll(), 3942, 9270, 500),
        ("bc5cdr/dev_ner.conll.gz", Conll(), 3949, 9455, 500),
        ("ncbi_disease/train_ner.conll.gz", Conll(), 5423, 5133, 1),
        ("ncbi_disease/dev_ner.conll.gz", Conll(), 923, 787, 1),
    ],
)
def test_the_real_files_have_as_many_as_their_description_says(
    real_data, file, reader, sentences, entities, documents
):
    rows = [row for _, row in reader.rows(real_data / file)]
    assert len(rows) == sentences
    assert sum(len(row["entities"]) for row in rows) == entities
    assert len({row["document"] for row in rows}) == documents


@pytest.mark.parametrize(("part", "differing"), [("train", 51), ("dev", 8)])
def test_scierc_in_both_forms_differs_where_entities_overlap(real_data, part, differing):
    """The tagged form cannot hold overlapping entities: it cuts, joins or leaves out some."""
    flat = [row for _, row in Conll().rows(real_data / f"scierc/{part}_ner.conll.gz")]
    whole = [row for _, row in Dygie().rows(real_data / f"scierc/{part}_docs.jsonl.gz")]
    assert [row["text"] for row in flat] == [row["text"] for row in whole]
    pairs = [
        [sorted(tuple(e) for e in row["entities"]) for row in rows]
        for rows in zip(flat, whole, strict=True)
    ]
    assert sum(tagged != nested for tagged, nested in pairs) == differing
