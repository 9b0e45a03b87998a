import itertools
import multiprocessing
import os
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.torch import load_file

from textune.approaches.base import Context
from textune.approaches.majority import Majority
from textune.approaches.tuned import Tuned
from textune.core.errors import DivergedError, ImpossibleError, StoreError
from textune.cost.demand import PROCESS_BYTES, SPARING_HOLES
from textune.cost.price import load_prices
from textune.results.store import Store
from textune.study.beside import groups_of, run_group
from textune.study.run import Options, run_study
from textune.study.work import Bench
from textune.testing import tiny_model_folder
from textune.training.loop import Training

TRAINING = {"epochs": 2, "batch_size": 4, "lr": 0.01}


@pytest.fixture
def tuned(moods):
    """LoRA on a tiny model in fp32, as a study file has it."""
    folder = tiny_model_folder(moods / "tiny", ["a good day was bad", "what a sad thing"])

    def make(method="lora", **more):
        settings = {"method": method, "model": str(folder), "precision": "float32"}
        return {"tuned": {**settings, "training": TRAINING, **more}}

    return make


@pytest.fixture
def bench_of(moods):
    """A worker's bench for a plan, with its store in a folder of that name."""

    def make(plan, name, **context):
        return Bench(
            task=plan.study.task,
            examples=plan.examples,
            store=Store(moods / name),
            context=Context(checkpoint_seconds=0, **context),
            prices=load_prices(),
            machine="cpu",
            device_peak=None,
        )

    return make


def do(cells, bench, step=lambda *_: None):
    told = SimpleNamespace(step=step, read=lambda _: None)
    given = run_group(cells, bench, lambda _: told)
    return [bench.store.load(cell.fingerprint) for cell in given]


def assert_as_alone(cells, bench, alone):
    """Weights, answers and scores of all cells, but for roundings."""
    for cell in cells:
        folders = [each.store.cell(cell.fingerprint) / "bundle/adapter" for each in (bench, alone)]
        ours, theirs = (load_file(f / "adapter_model.safetensors") for f in folders)
        assert ours.keys() == theirs.keys()
        for name, weight in theirs.items():  # Adam makes much of single gradients near zero
            assert (ours[name] - weight).norm() < 1e-3 * weight.norm(), name
        said = [each.store.predictions(cell.fingerprint) for each in (bench, alone)]
        np.testing.assert_allclose(*(each.predictions.scores for each in said), atol=1e-3)


@pytest.mark.parametrize("method", ["lora", "lora_plus", "qlora"])
def test_each_fold_ends_with_the_weights_that_it_has_alone(method, plan_of, bench_of, tuned):
    """Folds of unlike size, two seeds, and the best epoch by a validation part of each."""
    plan = plan_of(tuned(method), folds=5, seeds=[0, 1], valid_fraction=0.2)
    alone, bench = bench_of(plan, "alone"), bench_of(plan, "together")
    for cell in plan.cells:
        do([cell], alone)
    records = do(plan.cells, bench)
    assert len({record.num_train for record in records}) > 1
    assert_as_alone(plan.cells, bench, alone)
    for record in records:
        single = alone.store.load(record.fingerprint)
        assert record.status == single.status == "done"
        assert record.scores == pytest.approx(single.scores, abs=1e-3)
        assert record.notes["side_by_side"] == 10
        assert record.notes["steps"] == single.notes["steps"]
        assert record.notes["best_epoch"] == single.notes["best_epoch"]
        assert record.notes["train_loss_last_epoch"] == pytest.approx(
            single.notes["train_loss_last_epoch"], abs=1e-4
        )
        assert not bench.work(next(c for c in plan.cells if c.key == record.cell)).exists()


def test_a_cell_pays_its_share(plan_of, bench_of, tuned):
    plan = plan_of(tuned(), folds=4)
    alone, bench = bench_of(plan, "alone"), bench_of(plan, "together")
    single = [do([cell], alone)[0].cost for cell in plan.cells]
    shared = [record.cost for record in do(plan.cells, bench)]
    assert sum(c.fit_tokens for c in shared) == pytest.approx(
        sum(c.fit_tokens for c in single), abs=4
    )
    assert sum(c.fit_flops for c in shared) == pytest.approx(sum(c.fit_flops for c in single))
    assert len({c.fit_seconds for c in shared}) == 1


def test_what_was_stopped_goes_on_from_the_checkpoint_of_each(plan_of, bench_of, tuned):
    plan = plan_of(tuned(), folds=4)
    bench, whole = bench_of(plan, "stopped"), bench_of(plan, "whole")
    do(plan.cells, whole)
    steps = itertools.count(1)

    def stop(*_):
        if next(steps) == 10:  # two of four are one step ahead
            raise StoreError("stopped", hint="go on")

    with pytest.raises(StoreError):
        do(plan.cells, bench, stop)
    seen = []
    records = do(plan.cells, bench, lambda step, *_: seen.append(step))
    assert min(seen) > 1
    assert_as_alone(plan.cells, bench, whole)
    assert all(r.status == "done" for r in records)
    assert not any(bench.work(cell).exists() for cell in plan.cells)


def test_without_room_for_two_they_are_done_one_after_the_other(plan_of, bench_of, tuned):
    plan = plan_of(tuned(), folds=3)
    little = PROCESS_BYTES + SPARING_HOLES["cpu"]
    bench, alone = bench_of(plan, "little", memory=little), bench_of(plan, "alone")
    for cell in plan.cells:
        do([cell], alone)
    records = do(plan.cells, bench)
    assert all("side_by_side" not in record.notes for record in records)
    assert all("micro_batches" in record.notes for record in records)
    assert_as_alone(plan.cells, bench, alone)


def test_as_many_at_once_as_there_is_room_for(plan_of, bench_of, tuned, monkeypatch):
    plan = plan_of(tuned(), folds=5)
    monkeypatch.setattr(
        "textune.engine.footprint.Footprint.kept", lambda self, batch: 1e9 * (batch != [])
    )
    monkeypatch.setattr("textune.training.accumulation.Room", lambda *_: _Room(3.5e9))
    records = do(plan.cells, bench_of(plan, "some"))
    assert sorted(record.notes["side_by_side"] for record in records) == [2, 2, 3, 3, 3]


class _Room:
    def __init__(self, size):
        self.usual = self.sparing = size


def test_one_that_fails_does_not_spoil_the_others(plan_of, bench_of, tuned, monkeypatch):
    plan = plan_of(tuned(), folds=3)
    bench = bench_of(plan, "failing")

    def step(self, loss, original=Training.step):
        if self.watch.folder == bench.work(plan.cells[1]):
            raise DivergedError("the loss is not a number", hint="lower it")
        original(self, loss)

    monkeypatch.setattr(Training, "step", step)
    records = do(plan.cells, bench)
    assert [record.status for record in records] == ["done", "failed", "done"]
    assert records[1].failure.message == "the loss is not a number"


def test_a_study_does_so_when_it_is_asked(plan_of, run, tuned, moods):
    plan = plan_of("majority", tuned(), folds=3)
    outcome, heard = run(plan, side_by_side=2)
    assert (outcome.done, outcome.failed) == (6, 0)
    store = Store(moods / "run")
    notes = [store.load(c.fingerprint).notes.get("side_by_side") for c in plan.cells]
    assert notes == [None] * 3 + [2, 2, None]
    assert sorted(heard.started_labels) == ["lora"] * 3 + ["majority"] * 3


def test_who_dies_with_a_group_leaves_a_record_of_each(plan_of, run, tuned, listener, moods):
    plan = plan_of(tuned(), folds=3)

    class Killer(type(listener)):
        def stepped(self, cell, step):
            if len(self.records) == 0:
                for worker in multiprocessing.active_children():
                    os.kill(worker.pid, signal.SIGKILL)

    outcome = run_study(plan, moods / "run", Killer(), Options(side_by_side=2))
    assert (outcome.done, outcome.failed) == (1, 2)
    records = [Store(moods / "run").load(cell.fingerprint) for cell in plan.cells]
    assert [r.failure and r.failure.kind for r in records] == ["killed", "killed", None]
    outcome, _ = run(plan, side_by_side=2, retry_failed=True)
    assert (outcome.done, outcome.failed, outcome.already) == (3, 0, 1)


def test_groups_are_neighbours_of_one_approach_and_size(plan_of, tuned):
    searched = {**tuned("qlora", search={"trials": 2}), "label": "searched"}
    plan = plan_of(tuned(), tuned("ia3"), searched, "majority", sizes=[8, 12], folds=2)
    sizes = [
        (cells[0].key.approach, cells[0].key.size, len(cells))
        for cells in groups_of(plan.cells, 3)
    ]
    assert sizes[:2] == [("lora", 8, 2), ("lora", 12, 2)]
    assert all(size == 1 for _, _, size in sizes[2:])
    assert len(sizes) == 2 + 3 * 4
    assert [len(group) for group in groups_of(plan.cells, 1)] == [1] * 16


def test_what_cannot_be_stacked_says_so():
    approach = Tuned()
    assert approach.stands_beside
    dropping = replace(approach, method=replace(approach.method, dropout=0.1))
    assert not dropping.stands_beside
    with pytest.raises(ImpossibleError, match="one part after the other"):
        Majority().fit_beside(None, [])
