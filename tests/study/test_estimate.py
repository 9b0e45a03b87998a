from dataclasses import replace
from types import SimpleNamespace

import pytest

from textune.core.config import plain
from textune.cost.demand import CUDA_CONTEXT_BYTES, HEAP, HOLES, PROCESS_BYTES, Demand
from textune.cost.rates import Rates
from textune.results.record import Cost, Record
from textune.results.run import save_run
from textune.results.store import Store
from textune.study.earlier import earlier_cells, speed_of
from textune.study.estimate import Estimator
from textune.testing import tiny_model_folder

DEMAND = Demand(
    total_params=1000,
    trainable_params=10,
    weight_bytes=2000,
    state_bytes=180,
    kept_bytes=1e9,
    predict_bytes=5e8,
    fit_flops=4e12,
    predict_flops=1e12,
    fit_traffic=1e10,
    predict_traffic=2e9,
)

RATES = {
    "bfloat16": Rates(flops=4e11, traffic=1e10, unpacked=1e9),
    "float32": Rates(flops=1e11, traffic=2e10, unpacked=1e9, launch_seconds=1e-3),
}


def estimator_of(plan, *known):
    """Estimates on a machine of which the rates are given."""
    return Estimator(plan, known, rates=RATES.__getitem__)


@pytest.fixture
def tuned(moods):
    """A tuned approach on a tiny model, as a study file writes it."""
    folder = tiny_model_folder(moods / "model", (moods / "mood.csv").read_text().splitlines())

    def make(method="lora", **training):
        entry = {"method": method, "model": str(folder), "training": training}
        return {"tuned": entry, "label": str(method)}

    return make


def done(cell, **cost):
    spent = Cost(**{"fit_seconds": 1.0, "predict_seconds": 1.0, "cpu_seconds": 1.0, **cost})
    return Record(
        fingerprint=cell.fingerprint,
        status="done",
        cell=cell.key,
        cost=spent,
        num_train=len(cell.train),
        num_test=len(cell.test),
    )


def test_memory_is_the_sum_of_its_parts():
    holes = HOLES["cpu"] + HEAP["cpu"] * 1e9
    assert DEMAND.peak_bytes("cpu") == int(PROCESS_BYTES + 2180 + holes)
    assert DEMAND.peak_bytes("cuda") == int(2180 + HEAP["cuda"] * 1e9)
    assert DEMAND.needed_bytes("cuda") == DEMAND.peak_bytes("cuda") + CUDA_CONTEXT_BYTES
    assert DEMAND.within(1e6, "cpu") == DEMAND, "what is never divided needs what it needs"
    untrained = replace(DEMAND, kept_bytes=0.0, state_bytes=0.0)
    assert untrained.peak_bytes("cpu") == int(PROCESS_BYTES + 2000 + 5e8)


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_seconds_follow_from_the_rates_of_the_number_format(plan_of, tuned, precision):
    entry = tuned("lora")
    entry["tuned"]["precision"] = precision
    plan = plan_of(entry)
    estimator = estimator_of(plan)
    said, rates = estimator.approach("lora"), RATES[precision]
    for cell, expected in zip(plan.cells, said.cells, strict=True):
        demand = estimator.demand(cell)
        assert demand.precision == precision
        assert expected.seconds == pytest.approx(
            (demand.fit_flops + demand.predict_flops) / rates.flops
            + (demand.fit_traffic + demand.predict_traffic) / rates.traffic
            + demand.launches * rates.launch_seconds
        )
    assert said.basis == "measured rates"
    assert said.seconds == pytest.approx(sum(cell.seconds for cell in said.cells))


def test_rates_are_asked_only_for_what_no_cell_says(plan_of, tuned):
    plan = plan_of("majority", tuned("lora"))
    known = [done(cell) for cell in plan.cells]
    estimator = Estimator(plan, known, rates=lambda _: pytest.fail("asked"))
    assert {estimator.approach(label).basis for label in ("majority", "lora")} == {
        "2 cells done here"
    }


def test_a_tuned_approach_has_memory_time_and_price_before_anything_is_loaded(plan_of, tuned):
    plan = plan_of("majority", tuned("lora"), tuned("full"))
    estimator = estimator_of(plan)
    lora, full = estimator.approach("lora"), estimator.approach("full")
    assert (lora.basis, full.trained_share) == ("measured rates", 1.0)
    assert 0 < lora.trained_share < 1
    assert lora.seconds > 0
    assert lora.price > 0
    assert all(e.fits and e.peak_bytes > PROCESS_BYTES for e in lora.cells)
    assert len(lora.cells) == 2
    nothing = estimator.approach("majority")
    assert (nothing.needed_bytes, nothing.basis) == (None, "rough rates")


def test_time_grows_linearly_in_epochs(plan_of, tuned):
    def fit_flops(epochs):
        plan = plan_of(tuned("lora", epochs=epochs))
        return estimator_of(plan).demand(plan.cells[0]).fit_flops

    assert fit_flops(6) == pytest.approx(2 * fit_flops(3), rel=1e-6)


def test_a_cell_larger_than_the_machine_does_not_fit(plan_of, tuned, monkeypatch):
    monkeypatch.setattr("textune.study.estimate.memory_bytes", lambda: 10**8)
    said = estimator_of(plan_of(tuned("lora"))).approach("lora")
    assert [e.fits for e in said.cells] == [False, False]
    assert said.needed_bytes > 10**8


def test_what_is_short_of_memory_takes_what_there_is(plan_of, tuned, monkeypatch):
    plan = plan_of(tuned("lora"))
    whole = estimator_of(plan).demand(plan.cells[0])
    assert not whole.sparing
    assert 0 < whole.least_kept < whole.kept_bytes
    halfway = (whole.kept_bytes + whole.least_kept) / 2
    enough = replace(whole, sparing=True, kept_bytes=halfway).needed_bytes("cpu")
    for memory, kept in ((enough, halfway), (10**8, whole.least_kept)):
        monkeypatch.setattr("textune.study.estimate.usable_bytes", lambda memory=memory: memory)
        estimator = estimator_of(plan)
        demand = estimator.demand(plan.cells[0])
        assert demand.sparing
        assert demand.kept_bytes == pytest.approx(kept, abs=2)
        needed = demand.needed_bytes("cpu")
        assert demand.room(needed, "cpu", sparing=True) == pytest.approx(kept, abs=2)
        assert [e.sparing for e in estimator.approach("lora").cells] == [True, True]


def test_an_impossible_approach_costs_nothing_and_says_why(plan_of, tuned):
    plan = plan_of("majority", tuned({"lora": {"targets": ["nowhere"]}}))
    ((label, error),) = plan.impossible.items()
    assert "nowhere" in error.message
    assert estimator_of(plan).approach(label).seconds == 0


def test_the_peak_of_a_done_cell_is_believed_and_corrects_others(plan_of, tuned):
    plan = plan_of(tuned("lora"), tuned("ia3"))
    before = estimator_of(plan).approach("ia3").cells[0].peak_bytes
    first = plan.cells[0]
    peak = 3 * estimator_of(plan).demand(first).peak_bytes("cpu")
    estimator = estimator_of(plan, done(first, peak_bytes=peak, peak_kind="resident"))
    assert {e.peak_bytes for e in estimator.approach("lora").cells} == {peak}
    assert estimator.approach("ia3").cells[0].peak_bytes == pytest.approx(3 * before, rel=1e-6)


def test_cells_of_earlier_runs_on_this_machine_say_how_fast_it_is(plan_of, tuned, moods):
    plan = plan_of(tuned("lora"), tuned("ia3"))
    root = moods / "runs" / "before"
    save_run(root, plan.run_spec(), plan.tested)
    cell = plan.cells[0]
    counted = {"fit_flops": 1e9, "fit_seconds": 2.0, "predict_flops": 1e9, "predict_seconds": 4.0}
    Store(root).save(done(cell, **counted), None)
    found = earlier_cells(moods / "runs")
    speed = speed_of(found, plan.study.approaches["lora"])
    assert (speed.num_cells, speed.fit, speed.predict) == (1, 5e8, 2.5e8)
    again = plan_of(tuned("lora"), tuned("ia3"), seeds=[7])
    estimator = Estimator(again, [], found)
    said, demand = estimator.approach("ia3"), estimator.demand(again.cells[-1])
    assert said.basis == "1 earlier cells"
    assert said.cells[0].seconds == pytest.approx(
        demand.fit_flops / 5e8 + demand.predict_flops / 2.5e8
    )


def test_runs_of_other_machines_and_damaged_ones_say_nothing(plan_of, moods):
    plan = plan_of("majority")
    save_run(moods / "runs" / "far", replace(plan.run_spec(), hardware="another"), plan.tested)
    (moods / "runs" / "bad").mkdir()
    (moods / "runs" / "bad" / "study.yaml").write_text("{")
    assert earlier_cells(moods / "runs") == []
    assert earlier_cells(moods / "nowhere") == []


def test_an_approach_without_forecast_has_rough_rates(plan_of, tuned, monkeypatch):
    from textune.approaches.tuned import Tuned

    def fail(*_):
        raise RuntimeError("no numbers")

    monkeypatch.setattr(Tuned, "forecast", fail)
    said = estimator_of(plan_of(tuned("lora"))).approach("lora")
    assert (said.basis, said.needed_bytes) == ("rough rates", None)
    assert said.cells[0].peak_bytes is None


def test_a_demand_is_plain_data():
    assert SimpleNamespace(**plain(DEMAND)).kept_bytes == 1e9
