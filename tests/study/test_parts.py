import json

import pytest

from textune.core.errors import ConfigError, DataError, ImpossibleError, StoreError
from textune.results.parts import load_parts
from textune.results.run import load_run
from textune.results.store import Store
from textune.study.earlier import earlier_cells
from textune.study.parts import chosen, make_plans, run_plans
from textune.study.run import Options
from textune.study.spec import build_studies, load_studies

PARTS = {"whole": {}, "words": {"protocol": {"folds": 3}, "approaches": [{"tfidf": {"words": 1}}]}}


@pytest.fixture
def studies_of(moods):
    """Studies on the moods with these parts, keywords being keys of the file."""

    def make(parts=PARTS, **keys):
        content = {
            "name": "small",
            "task": "mood.yaml",
            "protocol": {"split": "kfold", "folds": 2},
            "approaches": ["majority", "tfidf"],
            "parts": parts,
        }
        content = {k: v for k, v in {**content, **keys}.items() if v is not None}
        return build_studies(content, where="study.yaml", beside=moods)

    return make


@pytest.fixture
def run(moods, listener):
    """Runs plans in the folder ``run``."""

    def call(plans, **options):
        return run_plans(plans, moods / "run", listener, Options(**options))

    return call


def prints(studies):
    return {plan.study.part: [c.fingerprint for c in plan.cells] for plan in make_plans(studies)}


def test_a_part_takes_from_the_file_what_it_does_not_say(studies_of):
    whole, words = studies_of()
    assert (whole.part, words.part) == whole.parts == words.parts == ("whole", "words")
    assert words.task == whole.task
    assert (whole.protocol.folds, words.protocol.folds) == (2, 3)
    assert words.protocol.split == "kfold"
    assert list(whole.approaches) == list(words.approaches) == ["majority", "tfidf"]


def test_an_approach_of_the_same_label_takes_the_place_of_the_files(studies_of):
    whole, words = studies_of()
    assert (whole.approaches["tfidf"].words, words.approaches["tfidf"].words) == (2, 1)
    (more,) = studies_of({"a": {"approaches": [{"tfidf": {"words": 1}, "label": "short"}]}})
    assert list(more.approaches) == ["majority", "tfidf", "short"]


def test_parts_may_say_everything_themselves(studies_of):
    one = {"task": "mood.yaml", "approaches": ["majority"]}
    (study,) = studies_of({"one": one}, task=None, approaches=None)
    assert list(study.approaches) == ["majority"]


def test_a_part_has_the_cells_of_a_study_of_its_own(studies_of):
    (part,), (alone,) = studies_of({"any": {}}), studies_of(None)
    assert (part.folder.as_posix(), alone.folder.as_posix()) == ("small/any", "small")
    assert (alone.part, alone.parts) == ("", ())
    assert prints([part])["any"] == prints([alone])[""]


@pytest.mark.parametrize(
    ("parts", "keys", "error"),
    [
        ({"a": {"taks": "x"}}, {}, r"study\.yaml: unknown key 'parts\.a\.taks'"),
        ({"a": {"protocol": {"fold": 2}}}, {}, r"unknown key 'parts\.a\.protocol\.fold'"),
        ({"a": {"protocol": {"folds": "x"}}}, {}, r"parts\.a\.protocol\.folds"),
        ({"a": {"protocol": {"seeds": []}}}, {}, r"study\.yaml: parts\.a: protocol\.seeds"),
        ({"a": {"task": "sciite"}}, {}, r"study\.yaml: parts\.a: unknown task 'sciite'"),
        ({"a": {}}, {"task": None}, r"study\.yaml: parts\.a: 'task' is missing"),
        ({"a": {}}, {"approaches": None}, r"study\.yaml: parts\.a: 'approaches' is missing"),
        ({"a": {"approaches": ["tfdif"]}}, {}, r"parts\.a: approaches\[0\]: unknown approach"),
        ({"a": {"approaches": ["nearest"] * 2}}, {}, r"parts\.a: approaches\[1\]: a second"),
        ({"a/b": {}}, {}, r"study\.yaml: parts: 'a/b' cannot name a folder"),
        ({"": {}}, {}, r"study\.yaml: parts: '' cannot name a folder"),
        ({"report": {}}, {}, r"study\.yaml: parts: 'report' cannot name a folder"),
        ({}, {}, r"study\.yaml: parts: there is none"),
    ],
)
def test_a_mistake_names_the_part(studies_of, parts, keys, error):
    with pytest.raises(ConfigError, match=error) as caught:
        studies_of(parts, **keys)
    assert caught.value.hint


def test_one_part_can_be_chosen_by_name(studies_of):
    studies = studies_of()
    assert chosen(studies, None) == studies
    assert [study.part for study in chosen(studies, "words")] == ["words"]
    with pytest.raises(ConfigError, match=r"study small has no part 'wrods'") as caught:
        chosen(studies, "wrods")
    assert "'words'?" in caught.value.hint


def test_data_that_make_no_cells_are_named_with_their_part(studies_of):
    studies = studies_of({"good": {}, "bad": {"protocol": {"folds": 13}}})
    with pytest.raises(DataError, match=r"part bad: .*fewer than 13 folds"):
        make_plans(studies)


def test_every_part_is_a_run_folder_and_nothing_is_done_twice(studies_of, run, listener, moods):
    plans = make_plans(studies_of())
    outcomes = run(plans)
    assert [(o.done, o.failed, o.already) for o in outcomes] == [(4, 0, 0), (6, 0, 0)]
    assert load_parts(moods / "run").parts == ("whole", "words")
    assert load_run(moods / "run" / "words").name == "small/words"
    assert len(Store(moods / "run" / "words").records()) == 6
    assert [o.already for o in run(plans)] == [4, 6]
    assert listener.begun == [(4, 0, 0), (6, 0, 0), (4, 4, 0), (6, 6, 0)]


def test_a_part_alone_names_all_parts(studies_of, run, moods):
    run(make_plans(chosen(studies_of(), "words")))
    assert load_parts(moods / "run").parts == ("whole", "words")
    assert not (moods / "run" / "whole").exists()


def test_an_impossible_cell_in_the_last_part_is_found_at_the_start(
    studies_of, run, moods, outside
):
    plans = make_plans(studies_of({"good": {}, "bad": {"approaches": ["pairs_only"]}}))
    with pytest.raises(ImpossibleError, match=r"part bad: pairs_only cannot do tasks"):
        run(plans)
    assert not (moods / "run").exists()


def test_a_folder_holds_a_run_or_parts_but_not_both(studies_of, run, moods):
    (moods / "single.yaml").write_text((moods / "study.yaml").read_text())
    single = make_plans(load_studies(moods / "single.yaml"))
    run(make_plans(studies_of()))
    with pytest.raises(StoreError, match="holds parts, this is a study without parts"):
        run(single)
    run_folder = moods / "other"
    run_folder.mkdir()
    (run_folder / "study.yaml").touch()
    with pytest.raises(StoreError, match="holds a run without parts, this is a study with parts"):
        run_plans(make_plans(studies_of()), run_folder, None, Options())


def test_who_takes_parts_for_a_run_is_told_their_folders(studies_of, run, moods):
    run(make_plans(chosen(studies_of(), "words")))
    with pytest.raises(StoreError, match="holds 2 parts") as caught:
        load_run(moods / "run")
    assert str(moods / "run" / "whole") in caught.value.hint
    (moods / "run" / "parts.yaml").write_text("damaged")
    with pytest.raises(StoreError, match=r"damaged .*parts\.yaml"):
        load_parts(moods / "run")


def test_the_speed_of_parts_counts_for_later_plans(studies_of, run, moods):
    run(make_plans(studies_of()))
    for path in (moods / "run").glob("*/cells/*/record.json"):
        content = json.loads(path.read_text())
        content["cost"]["predict_flops"] = 1e9
        path.write_text(json.dumps(content))
    assert len(earlier_cells(moods)) == 10
