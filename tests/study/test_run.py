import fcntl
from itertools import product

import pytest

from textune.core.errors import ConfigError, ImpossibleError, StoreError
from textune.cost.demand import PROCESS_BYTES, SPARING_HOLES
from textune.report.contenders import load_contenders
from textune.results.run import load_run, load_tested
from textune.results.store import Store
from textune.study.estimate import estimate
from textune.testing import tiny_model_folder


def staged(act, marker="", **more):
    return {"staged": {"act": act, "marker": str(marker)}, "label": act, **more}


def test_a_study_leaves_records_predictions_and_bundles(plan_of, run, moods):
    plan = plan_of("majority", "tfidf")
    outcome, heard = run(plan)
    assert (outcome.done, outcome.failed, outcome.already) == (4, 0, 0)
    assert heard.begun == [(4, 0, 0)]
    assert heard.records["tfidf"].scores["accuracy"] > 0.5
    store = Store(moods / "run")
    for cell in plan.cells:
        record, folder = store.load(cell.fingerprint), store.cell(cell.fingerprint)
        assert record.cell == cell.key
        assert (record.num_train, record.num_test) == (12, 12)
        assert record.cost.latency_p50_seconds > 0
        assert record.cost.price_table
        said = store.predictions(cell.fingerprint)
        assert said.ids == [plan.examples.rows[i].id for i in cell.test]
        assert (folder / "bundle" / "bundle.json").is_file()
        assert not (folder / "work").exists()
    assert load_run(moods / "run") == plan.run_spec()
    assert load_tested(moods / "run") == plan.tested


def test_nothing_is_done_twice(plan_of, run, records, moods):
    plan = plan_of("majority")
    run(plan)
    before, described = records(), (moods / "run" / "study.yaml").stat().st_mtime_ns
    outcome, heard = run(plan)
    assert (outcome.done, outcome.already) == (2, 2)
    assert (heard.begun, heard.started_labels) == ([(2, 2, 0)], [])
    assert records() == before
    assert (moods / "run" / "study.yaml").stat().st_mtime_ns == described


def test_what_cells_of_a_worker_share_is_no_cost_of_a_cell(plan_of, run, outside):
    _, heard = run(plan_of(staged("count")))
    assert heard.records["count"].cost.fit_tokens == 7


def test_who_watches_hears_how_much_is_read(plan_of, run, outside):
    _, heard = run(plan_of(staged("count")))
    assert heard.tokens == [7, 7]  # once in each of two folds


def test_an_amended_study_runs_only_what_is_new(plan_of, run, records, outside):
    run(plan_of("tfidf"))
    before = records()
    outcome, heard = run(plan_of("tfidf", "staged", seeds=[0, 1]))
    assert (outcome.done, outcome.already) == (8, 2)
    assert sorted(heard.started_labels) == ["staged"] * 4 + ["tfidf"] * 2
    assert {k: v for k, v in records().items() if k in before} == before


def test_a_renamed_approach_is_not_run_again_but_renamed_in_the_run(plan_of, run, records, moods):
    run(plan_of("majority"))
    before = records()
    run(plan_of({"majority": {}, "label": "the floor"}))
    assert records() == before
    assert list(load_run(moods / "run").approaches) == ["the floor"]


def test_an_approach_under_two_names_is_run_once(plan_of, run, moods):
    outcome, heard = run(plan_of("majority", {"majority": {}, "label": "again"}))
    assert outcome.done == 4
    assert heard.begun == [(4, 0, 2)]
    assert len(heard.started_labels) == 2


def test_seeds_share_a_cell_where_nothing_is_drawn(plan_of, run, moods):
    plan = plan_of("majority", seeds=[2, 0, 1])
    outcome, heard = run(plan)
    assert outcome.done == 6
    assert heard.begun == [(6, 0, 4)]
    assert len(heard.started_labels) == 2
    (contender,) = load_contenders(moods / "run").contenders
    cells = {(record.cell.fold, record.cell.seed) for record in contender.records}
    assert cells == set(product(range(2), range(3)))
    assert contender.answers == [contender.answers[0]] * 3
    known = [Store(moods / "run").load(c.fingerprint) for c in plan.cells]
    assert {record.cell.seed for record in known} == {2}, "the first of them has the record"
    assert estimate(plan, "majority", known).basis == "2 cells done here"


@pytest.mark.parametrize("name", ["study.yaml", "cells.json", "examples.parquet"])
def test_a_damaged_description_is_written_anew(plan_of, run, records, moods, name):
    plan = plan_of("majority")
    run(plan)
    before = records()
    (moods / "run" / name).write_bytes(b"damaged")
    run(plan)
    assert records() == before
    assert load_run(moods / "run") == plan.run_spec()
    assert load_tested(moods / "run") == plan.tested


def test_a_failed_cell_is_a_record_and_the_others_go_on(plan_of, run, moods, outside):
    outcome, heard = run(plan_of(staged("fail"), staged("run out of memory"), "majority"))
    assert (outcome.done, outcome.failed) == (2, 4)
    failure = heard.records["fail"].failure
    assert (failure.kind, failure.message) == ("error", "RuntimeError: staged failure")
    assert heard.records["run out of memory"].failure.kind == "out of memory"
    assert heard.records["majority"].status == "done"


def test_failed_cells_are_tried_again_only_when_asked(plan_of, run, records, moods, outside):
    marker = moods / "mended"
    plan = plan_of("majority", staged("fail", marker))
    run(plan)
    before = records()
    marker.touch()
    assert run(plan)[0].failed == 2
    assert records() == before
    outcome, heard = run(plan, retry_failed=True)
    assert (outcome.done, outcome.failed) == (4, 0)
    assert set(heard.started_labels) == {"fail"}
    assert sum(records()[name] == written for name, written in before.items()) == 2


def test_a_killed_worker_is_a_record_and_the_others_go_on(plan_of, run, outside):
    outcome, heard = run(plan_of(staged("die"), "majority"), workers=2)
    assert (outcome.done, outcome.failed) == (2, 2)
    failure = heard.records["die"].failure
    assert failure.kind == "killed"
    assert "signal 9" in failure.message
    assert "--retry-failed" in failure.hint


def test_workers_that_never_get_to_work_are_records(plan_of, run, outside, monkeypatch):
    from staged import give_up

    monkeypatch.setattr("textune.study.run.work", give_up)
    outcome, heard = run(plan_of("majority"))
    assert outcome.failed == 2
    failure = heard.records["majority"].failure
    assert (failure.kind, failure.message) == ("killed", "the worker process died (exit code 3)")


def test_two_studies_at_once_in_one_folder_are_refused(plan_of, run, records, moods):
    plan = plan_of("majority")
    (moods / "run").mkdir()
    with (moods / "run" / "lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another process is at work in"):
            run(plan)
    assert not records()
    assert run(plan)[0].done == 2


def test_what_cannot_work_is_refused_before_anything_is_written(plan_of, run, moods, outside):
    with pytest.raises(ImpossibleError, match="pairs_only cannot do"):
        run(plan_of("majority", "pairs_only"))
    assert not (moods / "run").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("cpu", "cpus", "no machine"), ("0.05", "-1", "cannot be"), ("core", "cores", "cannot be")],
)
def test_a_wrong_price_table_is_refused_before_anything_is_written(
    plan_of, run, moods, monkeypatch, old, new, said
):
    table = "name: mine\ndate: x\ncurrency: EUR\nmachines: {cpu: {per: core, hour: 0.05}}\n"
    monkeypatch.setattr("textune.study.run.price_name", lambda: "cpu")
    monkeypatch.setenv("TEXTUNE_PRICES", str(moods / "prices.yaml"))
    (moods / "prices.yaml").write_text(table.replace(old, new))
    with pytest.raises(ConfigError, match=said):
        run(plan_of("majority"))
    assert not (moods / "run").exists()


def test_a_damaged_record_stops_the_study_and_names_what_to_delete(plan_of, run, records, moods):
    plan = plan_of("majority")
    run(plan)
    damaged, kept = (moods / "run" / "cells" / c.fingerprint for c in plan.cells)
    (damaged / "record.json").write_text("{")
    with pytest.raises(StoreError, match="damaged record") as raised:
        run(plan)
    assert str(damaged) in raised.value.hint
    for path in (*damaged.glob("*.*"), damaged / "record.json"):
        path.unlink(missing_ok=True)
    written = (kept / "record.json").stat().st_mtime_ns
    assert run(plan)[0].done == 2
    assert (kept / "record.json").stat().st_mtime_ns == written


def test_workers_share_the_memory_that_a_study_may_take(plan_of, run, moods, monkeypatch):
    monkeypatch.setenv("TEXTUNE_CACHE", str(moods / "cache"))
    tiny_model_folder(moods / "tiny", (moods / "mood.csv").read_text().splitlines())
    training = {"epochs": 1, "batch_size": 4}
    plan = plan_of({"tuned": {"model": "tiny", "training": training}})
    little = PROCESS_BYTES + SPARING_HOLES["cpu"]
    _, heard = run(plan, workers=2, memory=2 * little)
    notes = heard.records["lora"].notes
    assert (notes["micro_batches"], notes["recomputed"]) == (4, "yes")
    # Results do not depend on it, so the cells stay done; a new folder has them whole.
    outcome, heard = run(plan, workers=2)
    assert (outcome.already, heard.records) == (2, {})
