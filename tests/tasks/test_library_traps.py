"""Known traps of the library's data sets that can be counted are as their task files say."""

from collections import defaultdict
from statistics import median

import pytest

from textune.data import checks
from textune.data.audit import audit
from textune.data.examples import Example, Examples
from textune.data.findings import Finding, Part
from textune.tasks.base import load_task


def found(train: Examples, test: Examples) -> dict[str, Finding]:
    """What the audit's exact checks report, by name; near repeats take longer."""
    parts = Part.of("train", train), Part.of("test", test)
    shown = [*checks.repeat_findings(*parts)]
    if len(train.rows[0].texts) == 2:
        shown += checks.pair_findings(*parts)
    return {finding.name: finding for finding in shown}


def answers_by_text(rows: Examples) -> dict[tuple[str, ...], list[str | None]]:
    """Texts to the letter -> the answers that they carry."""
    answers: defaultdict[tuple[str, ...], list[str | None]] = defaultdict(list)
    for row in rows:
        answers[row.texts].append(row.answer)
    return answers


def exact_repeats(rows: Examples) -> tuple[int, int]:
    """Rows that repeat an earlier one to the letter, and texts that carry several labels."""
    answers = answers_by_text(rows).values()
    return sum(len(said) - 1 for said in answers), sum(len(set(said)) > 1 for said in answers)


def other_label_only(train: Examples, test: Examples) -> int:
    """Rows of test whose texts are in train, but never with the label of the row."""
    known: defaultdict[tuple[str, ...], set[str | None]] = defaultdict(set)
    for key, row in zip(Part.of("train", train).keys, train, strict=True):
        known[key].add(row.answer)
    rows = zip(Part.of("test", test).keys, test, strict=True)
    return sum(key in known and row.answer not in known[key] for key, row in rows)


def test_sentences_of_acl_arc_repeat_with_several_labels_and_leak(real):
    train, test = real("acl_arc")
    labels = list(load_task("acl_arc").labels)
    shown = {finding.name: finding for finding in audit(train, test, labels=labels).findings}
    assert shown["repeats in train"].count == 366
    assert shown["leak"].count == 38
    assert shown["contradiction"].count == 20
    assert exact_repeats(train) == (366, 19)
    assert other_label_only(train, test) == 1


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("glue_cola", {"leak": 10, "contradiction": 15}),
        ("glue_mnli", {"shared text": 42}),
        ("glue_mrpc", {"leak": 2, "shared text": 49}),
        ("glue_rte", {"leak": 1, "shared text": 97}),
        ("glue_sst2", {"leak": 1, "repeats in train": 9}),
        ("mag_fos", {"leak": 3}),
        ("nli4ct", {"contradiction": 10, "shared text": 14}),
        ("qqp", {"shared text": 1864}),
        ("scicite", {"leak": 17}),
        ("sick", {"leak": 1, "shared text": 474}),
        ("chemprot", {"repeats in train": 25}),
        ("sciie_relations", {"repeats in train": 4}),
    ],
)
def test_the_audit_shows_the_traps_with_their_counts(real, name, counts):
    shown = found(*real(name))
    assert {check: shown[check].count for check in counts} == counts
    traps = " ".join(load_task(name).traps).replace(",", "").split()
    for check in set(counts) - {"contradiction"}:
        number = str(counts[check])
        assert number in traps or (number == "1" and "one" in traps), check


@pytest.mark.parametrize("name", ["scinli", "citation_integrity", "qqp", "glue_mnli", "nli4ct"])
def test_no_whole_pair_of_these_is_in_both_parts(real, name):
    assert "leak" not in found(*real(name))


@pytest.mark.parametrize("name", ["scinli", "citation_integrity"])
def test_train_and_test_of_these_share_no_text_at_all(real, name):
    assert "shared text" not in found(*real(name))


def test_no_pair_of_questions_occurs_twice_in_either_order(real):
    for part in real("qqp"):
        assert len({frozenset(row.texts) for row in part}) == len(part)


@pytest.mark.parametrize(
    ("name", "train_repeats", "test_repeats"),
    [
        ("chemprot", (25, 25), (17, 15)),
        ("sciie_relations", (4, 0), (0, 0)),
        ("glue_cola", (15, 8), (0, 0)),
        ("nli4ct", (8, 8), (1, 1)),
    ],
)
def test_texts_repeat_to_the_letter_with_contradictory_labels(
    real, name, train_repeats, test_repeats
):
    train, test = real(name)
    assert (exact_repeats(train), exact_repeats(test)) == (train_repeats, test_repeats)


@pytest.mark.parametrize(("name", "count"), [("mag_fos", 3), ("glue_cola", 5), ("scicite", 4)])
def test_leaked_texts_carry_the_other_label(real, name, count):
    assert other_label_only(*real(name)) == count


@pytest.mark.parametrize("name", ["chemprot", "sciie_relations"])
def test_each_sentence_has_one_mark_of_each_kind(real, name):
    rows = [row.texts[0] for part in real(name) for row in part]
    assert all(text.count("<< ") == text.count("[[ ") == 1 for text in rows)


def test_the_angle_mark_of_chemprot_comes_first_but_twice(real):
    train, test = real("chemprot")
    assert not any(_square_first(row) for row in train)
    assert sum(_square_first(row) for row in test) == 2


def test_either_mark_of_sciie_relations_comes_first(real):
    train, _ = real("sciie_relations")
    assert sum(_square_first(row) for row in train) == 1811


def _square_first(row: Example) -> bool:
    return row.texts[0].index("[[") < row.texts[0].index("<<")


def test_second_sentences_of_scinli_begin_where_a_linking_word_was(real):
    train, _ = real("scinli")
    assert sum(row.texts[1][0].islower() for row in train) == 1952


def test_the_pairs_of_nli4ct_are_as_long_as_the_traps_say(real):
    train, _ = real("nli4ct")
    words = [sum(len(text.split()) for text in row.texts) for row in train]
    assert (median(words), max(words)) == (166, 1736)


def test_dev_sentences_of_scicite_nearly_repeat_training_sentences(real):
    from sklearn.feature_extraction.text import TfidfVectorizer

    train, test = real("scicite")
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    known = vectorizer.fit_transform([row.texts[0] for row in train])
    alike = (vectorizer.transform([row.texts[0] for row in test]) @ known.T).toarray()
    near = [(i, j) for i, j in enumerate(alike.argmax(1)) if alike[i, j] >= 0.5]
    assert len(near) == 187
    assert sum(train.rows[j].answer != test.rows[i].answer for i, j in near) == 36
