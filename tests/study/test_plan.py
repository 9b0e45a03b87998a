import json

import pytest

from textune.core.errors import DataError, ImpossibleError, ModelError
from textune.cost.rates import Rates
from textune.results.record import Record
from textune.study.estimate import Estimator, estimate

PROMPTED = "prompted"
RATES = Rates(flops=1e11, traffic=1e10, unpacked=1e9)
TFIDF = "tfidf"


def names(plan, label=None):
    return [c.fingerprint for c in plan.cells if label in (None, c.key.approach)]


def task(moods, **changes):
    """The task of the moods with some keys changed."""
    columns = {"text": "text", "answer": "label", "id": "id"}
    return {
        "name": "mood",
        "kind": "classify",
        "instruction": "Say how the text feels.",
        "labels": {"good": "a happy text", "bad": "an unhappy text"},
        "data": {"train": "mood.csv", "columns": columns},
        **changes,
    }


def test_a_plan_is_approaches_times_sizes_folds_and_seeds(plan_of):
    plan = plan_of("majority", TFIDF, seeds=[0, 1], sizes=[4, "all"], folds=3)
    assert len(plan.cells) == 2 * 2 * 2 * 3
    assert len(set(names(plan, TFIDF))) == 2 * 2 * 3
    assert len(set(names(plan, "majority"))) == 2 * 3, "seeds share a cell: nothing is drawn"
    assert {(c.key.size, len(c.train)) for c in plan.cells} == {(4, 4), (16, 16)}
    assert all(not set(c.train) & set(c.test) for c in plan.cells)
    first = (c for c in plan.cells if (c.key.approach, c.key.size, c.key.seed) == (TFIDF, 4, 0))
    tested = sorted(i for c in first for i in c.test)
    assert tested == list(range(24))


def test_all_approaches_see_the_same_parts(plan_of):
    plan = plan_of("majority", TFIDF, valid_fraction=0.2)
    first, second = ([c for c in plan.cells if c.key.approach == a] for a in ("majority", TFIDF))
    assert [(c.train, c.valid, c.test) for c in first] == [
        (c.train, c.valid, c.test) for c in second
    ]
    assert all(c.valid and not set(c.valid) & {*c.train, *c.test} for c in plan.cells)


def test_the_same_study_gives_the_same_fingerprints(plan_of):
    assert names(plan_of(TFIDF)) == names(plan_of(TFIDF))


@pytest.mark.parametrize(
    ("approach", "changed"),
    [
        (TFIDF, {TFIDF: {"words": 1}}),
        (PROMPTED, {PROMPTED: {"shots": 2}}),
        ("tuned", {"tuned": {"method": "ia3"}}),
        ("tuned", {"tuned": {"method": {"lora": {"rank": 4}}}}),
        ("tuned", {"tuned": {"training": {"epochs": 1}}}),
    ],
)
def test_an_option_changes_fingerprints(plan_of, approach, changed):
    assert not set(names(plan_of(approach))) & set(names(plan_of(changed)))


def test_an_option_written_out_at_its_default_changes_nothing(plan_of):
    assert names(plan_of(TFIDF)) == names(plan_of({TFIDF: {"words": 2}}))


def test_seeds_folds_and_sizes_change_fingerprints(plan_of):
    base = set(names(plan_of(TFIDF)))
    for protocol in ({"seeds": [1]}, {"split_seed": 1}, {"folds": 3}, {"sizes": [4]}):
        assert not base & set(names(plan_of(TFIDF, **protocol))), protocol


def test_a_seed_more_keeps_the_cells_of_the_others(plan_of):
    assert set(names(plan_of(TFIDF))) < set(names(plan_of(TFIDF, seeds=[0, 1])))


@pytest.mark.parametrize(("old", "new"), [("nice", "kind"), ("good-3,", "good-33,")])
def test_a_changed_row_changes_every_cell_that_sees_it(plan_of, moods, old, new):
    before = names(plan_of(TFIDF))
    file = moods / "mood.csv"
    file.write_text(file.read_text().replace(old, new, 1))
    assert not set(before) & set(names(plan_of(TFIDF)))


def test_a_revised_plug_in_changes_its_fingerprints_alone(plan_of, monkeypatch):
    from textune.approaches.tfidf import Tfidf

    before = plan_of("majority", TFIDF)
    monkeypatch.setattr(Tfidf, "revision", Tfidf.revision + 1)
    after = plan_of("majority", TFIDF)
    assert names(before, "majority") == names(after, "majority")
    assert not set(names(before, TFIDF)) & set(names(after, TFIDF))


@pytest.mark.parametrize(
    "changes",
    [
        {"instruction": "Decide."},
        {"labels": {"good": "joy", "bad": "an unhappy text"}},
        {"answers": {"good": "yes", "bad": "no"}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_a_prompt_says_matters_to_readers_of_prompts_alone(plan_of, moods, changes):
    before = plan_of(TFIDF, PROMPTED, task=task(moods))
    after = plan_of(TFIDF, PROMPTED, task=task(moods, **changes))
    assert names(before, TFIDF) == names(after, TFIDF)
    assert not set(names(before, "zero-shot")) & set(names(after, "zero-shot"))


def test_the_order_of_labels_matters(plan_of, moods):
    turned = task(moods, labels={"bad": "an unhappy text", "good": "a happy text"})
    assert not set(names(plan_of(TFIDF))) & set(names(plan_of(TFIDF, task=turned)))


def test_the_label_that_scores_are_about_matters(plan_of, moods):
    positives = (task(moods, positive=label) for label in ("good", "bad"))
    first, second = (names(plan_of(TFIDF, task=changed)) for changed in positives)
    assert not set(first) & set(second)


def test_names_places_and_order_change_no_fingerprint(plan_of, moods):
    before = plan_of(TFIDF, PROMPTED)
    (moods / "elsewhere.csv").write_bytes((moods / "mood.csv").read_bytes())
    changed = task(
        moods, name="feelings", title="Feelings", source="ours", licence="CC0", traps=["none"]
    )
    changed["data"] = {**changed["data"], "train": str(moods / "elsewhere.csv")}
    after = plan_of({PROMPTED: {}, "label": "asked"}, {TFIDF: {}, "label": "words"}, task=changed)
    assert names(before, TFIDF) == names(after, "words")
    assert names(before, "zero-shot") == names(after, "asked")


def test_a_test_file_makes_one_fixed_part(plan_of, moods):
    lines = (moods / "mood.csv").read_text().splitlines()
    (moods / "test.csv").write_text("\n".join([lines[0], *lines[1:9]]) + "\n")
    (moods / "train.csv").write_text("\n".join([lines[0], *lines[9:]]) + "\n")
    data = {"train": "train.csv", "test": "test.csv", "columns": task(moods)["data"]["columns"]}
    plan = plan_of("majority", task=task(moods, data=data), split="auto")
    assert (plan.protocol.split, plan.protocol.folds) == ("fixed", 1)
    (cell,) = plan.cells
    assert (cell.train, cell.test) == (tuple(range(16)), tuple(range(16, 24)))
    part = plan_of("majority", task=task(moods, data=data), split="fixed", test_size=4)
    assert len(part.cells[0].test) == len(part.tested) == 4
    assert set(part.cells[0].test) < set(cell.test)


def test_groups_stay_together_when_a_column_names_them(plan_of, moods):
    lines = (moods / "mood.csv").read_text().splitlines()
    rows = [f"{line},{place // 4}" for place, line in enumerate(lines[1:])]
    (moods / "mood.csv").write_text("\n".join([f"{lines[0]},paper", *rows]) + "\n")
    data = task(moods)["data"]
    data = {**data, "columns": {**data["columns"], "group": "paper"}}
    plan = plan_of("majority", task=task(moods, data=data))
    assert plan.protocol.grouped is True
    for cell in plan.cells:
        groups = [{plan.examples.rows[i].group for i in part} for part in (cell.train, cell.test)]
        assert not groups[0] & groups[1]


def test_what_cannot_work_has_no_cells_but_a_reason(plan_of, outside):
    plan = plan_of("majority", "pairs_only", {PROMPTED: {"shots": 13}})
    assert {c.key.approach for c in plan.cells} == {"majority"}
    assert isinstance(plan.impossible["pairs_only"], ImpossibleError)
    assert isinstance(plan.impossible["13-shot"], DataError)


def test_a_label_without_examples_is_refused(plan_of, moods):
    labels = {"good": "", "bad": "", "odd": ""}
    with pytest.raises(DataError, match="no example of 'odd'"):
        plan_of("majority", task=task(moods, labels=labels))


def test_the_resolved_study_hides_nothing_and_is_plain_data(plan_of):
    from textune.core.config import plain

    plan = plan_of({"tuned": {"method": "ia3"}})
    said = json.loads(json.dumps(plain(plan.run_spec())))
    spec = said["approaches"]["ia3"]["spec"]["tuned"]
    assert spec["precision"] in ("bfloat16", "float32")
    assert spec["training"]["lr"] > 0
    assert said["protocol"]["grouped"] is False
    assert said["versions"]["textune"]
    assert [c["fingerprint"] for c in said["cells"]] == names(plan)


def test_cells_on_one_base_in_one_form_share_a_worker(plan_of):
    plan = plan_of(PROMPTED, "tuned", {"tuned": {"method": "qlora"}})
    groups = {c.key.approach: c.base_model for c in plan.cells}
    assert groups["zero-shot"] == groups["lora"] != groups["qlora"]


def test_time_is_estimated_from_rough_rates_then_from_cells_done_here(plan_of):
    plan = plan_of(TFIDF)
    rough = estimate(plan, TFIDF, [])
    assert rough.basis == "rough rates"
    assert rough.seconds == pytest.approx(2 * 12 * (0.01 + 0.01))
    done = _record(plan.cells[0], fit_seconds=24.0, predict_seconds=12.0)
    measured = estimate(plan, TFIDF, [done])
    assert measured.basis == "1 cells done here"
    assert measured.seconds == pytest.approx(36.0)
    assert measured.price > 0


def test_a_renamed_approach_keeps_its_estimate(plan_of):
    done = _record(plan_of(TFIDF).cells[0], fit_seconds=24.0, predict_seconds=12.0)
    renamed = plan_of({TFIDF: {}, "label": "words"})
    assert estimate(renamed, "words", [done]).basis == "1 cells done here"


def _record(cell, **seconds):
    from textune.results.record import Cost

    return Record(
        fingerprint=cell.fingerprint,
        status="done",
        cell=cell.key,
        cost=Cost(cpu_seconds=1.0, **seconds),
        num_train=12,
        num_test=12,
    )


@pytest.fixture
def pairs_that_recur(moods):
    """A task of 40 pairs, half of which share a text with another one."""
    rows = ["one,two,label"]
    for place in range(10):
        rows += [f"q{place},r{place},same", f"r{place},s{place},different"]
        rows += [f"t{place},u{place},same", f"v{place},w{place},different"]
    (moods / "pairs.csv").write_text("\n".join([*rows, ""]))
    columns = {"text": ["one", "two"], "answer": "label"}
    return {
        "name": "pairs",
        "kind": "pair",
        "instruction": "Say whether they are the same.",
        "labels": {"same": "", "different": ""},
        "data": {"train": "pairs.csv", "columns": columns},
    }


def recurring(plan):
    """How many tested pairs share a text with a pair trained on."""
    rows = plan.examples.rows
    known = [{t for i in cell.train for t in rows[i].texts} for cell in plan.cells]
    tested = zip(plan.cells, known, strict=True)
    return sum(bool(k & set(rows[i].texts)) for cell, k in tested for i in cell.test)


def test_pairs_that_share_a_text_can_be_kept_in_one_fold(plan_of, pairs_that_recur):
    at_random = plan_of("majority", task=pairs_that_recur, folds=5)
    kept = plan_of("majority", task=pairs_that_recur, folds=5, grouped="texts")
    assert recurring(at_random) > 0
    assert recurring(kept) == 0
    assert len(kept.tested) == 40
    again = plan_of("majority", task=pairs_that_recur, grouped="texts", valid_fraction=0.2)
    for cell in again.cells:
        parts = [{again.examples.rows[i].group for i in p} for p in (cell.train, cell.valid)]
        assert not parts[0] & parts[1]


def test_folds_of_a_sample_are_of_the_same_pairs_however_they_are_made(plan_of, pairs_that_recur):
    plans = [
        plan_of("majority", task=pairs_that_recur, examples=20, grouped=grouped)
        for grouped in ("texts", False)
    ]
    ids = [{row.id for row in plan.tested} for plan in plans]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 20
    assert sorted(plans[0].tested.answers) == ["different"] * 10 + ["same"] * 10
    texts = [set(row.texts) for row in plans[0].tested]
    others = [row for row in plans[0].examples if row.id not in ids[0]]
    assert not any(set(row.texts) & tested for row in others for tested in texts)


@pytest.mark.parametrize(
    ("protocol", "error"),
    [
        ({"examples": 24}, "a sample of 24 examples out of 24"),
        ({"examples": 8, "split": "fixed"}, "is for folds, and the split is fixed"),
    ],
)
def test_a_sample_that_cannot_be_is_refused(plan_of, moods, protocol, error):
    data = task(moods)["data"]
    split = {**data, "test": "mood.csv"} if "split" in protocol else data
    with pytest.raises(DataError, match=error):
        plan_of("majority", task=task(moods, data=split), **protocol)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A cache of the Hub without network."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "hub"


@pytest.mark.parametrize("approach", ["prompted", "tuned", "nearest"])
def test_a_model_whose_configuration_cannot_be_had_ends_the_plan(plan_of, hub, approach):
    with pytest.raises(ModelError, match=r"cannot get someone/large@main from the Hub") as caught:
        plan_of({approach: {"model": "someone/large"}})
    assert "check the id and the network" in caught.value.hint


@pytest.mark.parametrize("approach", ["prompted", "tuned"])
def test_a_model_of_the_hub_is_priced_by_its_configuration_alone(plan_of, hub, moods, approach):
    from textune.testing import tiny_model_folder

    folder = hub / "models--someone--large"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    tiny_model_folder(folder / "snapshots" / ("0" * 40), (moods / "mood.csv").read_text().split())
    for weights in folder.rglob("*.safetensors"):
        weights.unlink()
    plan = plan_of({approach: {"model": "someone/large"}})
    assert not plan.impossible
    (label,) = plan.study.approaches
    said = Estimator(plan, [], rates=lambda _: RATES).approach(label)
    assert said.basis == "measured rates"
    assert said.needed_bytes > 0
