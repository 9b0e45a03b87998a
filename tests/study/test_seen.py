import json

import pytest

from textune.approaches.base import REGISTRY
from textune.core.config import PluginOf, plain
from textune.data.audit import audit
from textune.models.catalog import seen_by
from textune.results.run import ApproachInfo, doubts
from textune.study.draft import candidates
from textune.study.plan import info_of, make_plan
from textune.study.spec import load_studies
from textune.tasks.base import library_names, load_task
from textune.tasks.dataset import load_dataset
from textune.testing.models import tiny_encoder_folder

QUORA = "quora duplicate questions"


def info(spec, task):
    return info_of(PluginOf(REGISTRY).build(spec, where="test"), load_task(task))


@pytest.mark.parametrize(
    "approach",
    [
        "nearest",
        "encoder",
        {"thresholded": {"of": "nearest"}},
        {"calibrated": {"of": {"thresholded": {"of": "encoder"}}}},
    ],
)
def test_the_sentence_encoder_may_have_seen_the_questions_of_quora(approach):
    found = info(approach, "qqp")
    assert found.seen == {"all-minilm-l6-v2": (QUORA,)}
    assert found.doubt == f"all-minilm-l6-v2 was trained on {QUORA}"


@pytest.mark.parametrize(
    ("approach", "task"), [("tfidf", "qqp"), ("prompted", "qqp"), ("encoder", "scicite")]
)
def test_of_others_nothing_is_known(approach, task):
    assert info(approach, task).seen == {}
    assert info(approach, task).doubt is None


def test_tasks_of_these_data_are_all_that_the_encoder_has_seen():
    doubted = {
        name for name in library_names() if seen_by("all-minilm-l6-v2", load_task(name).corpora)
    }
    assert doubted == {"qqp", "glue_mnli"}


def test_of_a_folder_and_a_hub_id_nothing_is_known(tmp_path):
    folder = tiny_encoder_folder(tmp_path / "encoder", ["some words"])
    assert seen_by(str(folder), [QUORA]) == ()
    assert seen_by("sentence-transformers/all-MiniLM-L6-v2", [QUORA]) == ()


def test_what_a_model_has_seen_is_in_the_resolved_study_and_in_no_fingerprint(moods):
    def plan():
        (study,) = load_studies(moods / "study.yaml")
        return make_plan(study)

    text = (moods / "study.yaml").read_text().replace("tfidf", "nearest")
    (moods / "study.yaml").write_text(text)
    before = plan()
    with (moods / "mood.yaml").open("a") as handle:
        handle.write(f"corpora: [{QUORA}]\n")
    after = plan()
    assert [c.fingerprint for c in before.cells] == [c.fingerprint for c in after.cells]
    said = json.loads(json.dumps(plain(after.run_spec())))["approaches"]
    assert said["nearest"]["seen"] == {"all-minilm-l6-v2": [QUORA]}
    assert said["majority"]["seen"] == {}


def test_a_draft_says_so_beside_the_approach():
    task = load_task("questions-sample")
    examples = load_dataset(task).train
    found = audit(examples, None, labels=list(task.labels), labels_in=task.kind.labels_in)
    reasons = {c.label: c.reason for c in candidates(load_task("qqp"), found)}
    assert reasons["nearest"].endswith(
        f"may have seen the test data: all-minilm-l6-v2 was trained on {QUORA}"
    )
    assert "seen" not in reasons["tfidf"]


def test_labels_with_the_same_reason_stand_together():
    seen = {"minilm": ("a", "b")}
    infos = {
        "x": ApproachInfo(spec={}, family="tuned", seen=seen),
        "y": ApproachInfo(spec={}, family="tuned"),
        "z": ApproachInfo(spec={}, family="tuned", seen=seen),
        "w": ApproachInfo(spec={}, family="tuned", seen={**seen, "other": ("a",)}),
    }
    assert doubts(infos) == [
        "x, z: minilm was trained on a and b",
        "w: minilm was trained on a and b; other was trained on a",
    ]
