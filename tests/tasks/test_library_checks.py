"""What ``textune check`` says of the library's real data sets, and the study that it drafts."""

from functools import cache

import pytest

from textune.cli.checking import Checked, look
from textune.core.config import parse_yaml
from textune.study.draft import study_text
from textune.study.plan import make_plan
from textune.study.spec import build_study
from textune.tasks.base import library_names, load_task
from textune.tasks.dataset import Dataset, load_dataset

AT_HAND = sorted(set(library_names()) - {"section_function"})
"""Tasks whose data are in the folder of real data, or in the package."""


@pytest.fixture
def checked(real_data, monkeypatch):
    """Looks at a task, each task once; also gives its data."""
    monkeypatch.setenv("TEXTUNE_DATA", str(real_data))
    return _look


@cache
def _look(name: str) -> tuple[Checked, Dataset]:
    task = load_task(name)
    dataset = load_dataset(task)
    return look(task, dataset), dataset


def shown(checked: Checked) -> dict[str, int]:
    return {finding.name: finding.count for finding in checked.audit.findings}


def recalls(checked: Checked) -> dict[str, float]:
    assert checked.artefacts is not None
    return {blind.sees: blind.recall for blind in checked.artefacts.classifiers}


@pytest.mark.parametrize("name", AT_HAND)
def test_the_drafted_study_is_accepted_as_it_is(checked, name, tmp_path):
    found, dataset = checked(name)
    text = study_text(found.task, name, found.recommended, found.approaches)
    study = build_study(parse_yaml(text, where=name), where=name, beside=tmp_path)
    assert study.protocol == found.recommended.protocol
    plan = make_plan(study, dataset)
    assert not plan.impossible
    assert {cell.key.approach for cell in plan.cells} == set(study.approaches)
    assert "encoder" in study.approaches


def test_acl_arc_is_to_be_divided_anew_because_its_test_part_is_known(checked):
    found, dataset = checked("acl_arc")
    protocol = found.recommended.protocol
    assert (protocol.split, protocol.folds, protocol.grouped) == ("kfold", 5, "texts")
    plan = found.recommended.plan
    assert len(plan.tested) == len(dataset.train) + len(dataset.test)
    texts = [row.texts for row in plan.examples]
    for cell in plan.cells:
        assert not {texts[i] for i in cell.train} & {texts[i] for i in cell.test}
    assert shown(found)["imbalance"] == 13


@pytest.mark.parametrize("name", ["scicite", "scinli", "qqp", "scierc", "glue_rte"])
def test_a_test_part_that_train_hardly_knows_stays_what_is_tested(checked, name):
    assert checked(name)[0].recommended.protocol.split == "fixed"


def test_labels_of_scinli_are_exactly_balanced(checked):
    found, _ = checked("scinli")
    assert shown(found)["balanced"] == 500
    assert set(found.audit.parts[0].labels.values()) == {500}
    assert shown(found)["damaged in test"] == 1


def test_scicite_repeats_and_nearly_repeats_training_sentences(checked):
    found, _ = checked("scicite")
    numbers = shown(found)
    assert (numbers["leak"], numbers["contradiction"], numbers["repeats in train"]) == (17, 6, 41)
    assert numbers["near leak"] > 50
    assert numbers["near repeats in train"] > 200


def test_the_second_sentence_of_mnli_tells_the_label_and_the_first_does_not(checked):
    found, _ = checked("glue_mnli")
    recall = recalls(found)
    assert recall["text 2"] > 0.45
    assert recall["text 1"] < 0.37
    assert "artefact in text 2" in shown(found)
    assert "artefact in text 1" not in shown(found)


def test_one_sentence_of_scinli_tells_the_label_as_on_its_sister_data_set(checked):
    found, _ = checked("scinli")
    recall = recalls(found)
    assert found.artefacts.chance == 0.25
    assert min(recall["text 1"], recall["text 2"]) > 0.37
    assert {"artefact in text 1", "artefact in text 2"} <= set(shown(found))


def test_the_statement_alone_tells_in_nli4ct_what_the_report_should(checked):
    recall = recalls(checked("nli4ct")[0])
    assert recall["text 2"] > 0.57
    assert recall["text 1"] < 0.55


def test_sick_is_betrayed_by_either_sentence(checked):
    assert {"artefact in text 1", "artefact in text 2"} <= set(shown(checked("sick")[0]))


def test_rte_has_no_artefact_that_words_or_lengths_betray(checked):
    assert not [name for name in shown(checked("glue_rte")[0]) if "artefact" in name]


def test_balanced_test_pairs_of_qqp_are_chosen_so_that_one_question_tells_much(checked):
    found, _ = checked("qqp")
    recall = recalls(found)
    assert min(recall["text 1"], recall["text 2"]) > 0.65
    assert shown(found)["shared text"] == 1864
    assert found.recommended.protocol.test_size < 9895, "fewer show two points"


def test_numbers_on_a_scale_are_audited_by_their_nearest_labels(checked):
    found, _ = checked("glue_stsb")
    assert set(recalls(found)) == {"lengths", "text 1", "text 2"}
    assert found.recommended.visible.metric == "pearson"
    assert sum(found.audit.parts[0].labels.values()) == 4672


def test_entities_have_no_blind_classifier_and_differences_by_their_number(checked):
    found, dataset = checked("scierc")
    assert found.artefacts is None
    visible = found.recommended.visible
    assert (visible.metric, visible.num_tested) == ("micro_f1", len(dataset.test))
    assert 0.03 < visible.difference < 0.05
