"""One cell: fit, predict, measure, store. This is where cost is measured, around the approach."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from textune.approaches.base import Context, Predictor
from textune.bundles.bundle import save_bundle
from textune.core import files
from textune.core.config import parse, plain
from textune.core.errors import StoreError, TextuneError
from textune.cost.latency import percentiles
from textune.cost.memory import DevicePeak, release_memory
from textune.cost.meter import Usage, meter
from textune.cost.price import PriceTable, price, token_price
from textune.cost.served import together
from textune.data.examples import Example, Examples
from textune.data.folds import Indices
from textune.data.predictions import Predictions
from textune.evaluation.metrics.base import ORDER_DISAGREEMENT, metrics_of
from textune.results.record import TEST_CUT, Cost, Failure, Record, ScoredExamples
from textune.results.store import Store
from textune.study.machine import cores, versions
from textune.study.plan import Cell
from textune.tasks.base import TaskSpec

LATENCY_EXAMPLES = 20
"""Single predictions that latency is measured on, at most."""


@dataclass(frozen=True)
class Bench:
    """What every cell of a worker shares."""

    task: TaskSpec
    examples: Examples
    store: Store
    context: Context
    prices: PriceTable
    machine: str
    """The price table's name for the machine."""
    device_peak: DevicePeak | None

    def rows(self, part: Indices) -> Sequence[Example]:
        """The examples at these places."""
        return self.examples.take(part).rows

    def work(self, cell: Cell) -> Path:
        """Where a cell keeps what it needs until it has its record."""
        return self.store.cell(cell.fingerprint) / "work"

    def finish(self, cell: Cell, record: Record, scored: ScoredExamples | None) -> None:
        """Store what came of a cell, which then needs nothing more."""
        self.store.save(record, scored)
        shutil.rmtree(self.work(cell), ignore_errors=True)


def run_cell(
    cell: Cell,
    bench: Bench,
    report: Callable[[int, int, float], None],
    read: Callable[[int], None] | None = None,
) -> Record:
    """Do a cell and store what came out; a cell that fails becomes a record that says why.

    ``report`` hears of training steps, ``read`` how many tokens models have read so far: of
    fitting, and anew of predicting.

    Raises:
        StoreError: its folder cannot be written or is damaged; the cell stays to be done.
    """
    folder = bench.store.cell(cell.fingerprint)
    with files.locked(folder / "lock"):
        if bench.store.has(cell.fingerprint):  # another process was faster
            return bench.store.load(cell.fingerprint)
        work = bench.work(cell)
        work.mkdir(parents=True, exist_ok=True)
        context = replace(bench.context, work=work, report=report)
        scored = None
        try:
            record, scored = _measured(cell, bench, context, read)
        except StoreError:
            raise
        except Exception as error:
            bench.context.pool_drop()
            record = failed(cell, failure_of(error))
        bench.finish(cell, record, scored)
    return record


def failed(cell: Cell, failure: Failure) -> Record:
    """The record of a cell without result."""
    return Record(
        fingerprint=cell.fingerprint,
        status="failed",
        cell=cell.key,
        failure=failure,
        num_train=len(cell.train),
        num_test=len(cell.test),
        versions=versions(),
        finished=_now(),
    )


def failure_of(error: Exception) -> Failure:
    """What a record says about an exception; running out of memory is a result of its own."""
    hint = error.hint if isinstance(error, TextuneError) else ""
    text = error.message if isinstance(error, TextuneError) else f"{type(error).__name__}: {error}"
    words = ("out of memory", "can't allocate memory", "not enough memory")
    out_of_memory = isinstance(error, MemoryError) or any(w in str(error).lower() for w in words)
    return Failure(
        kind="out of memory" if out_of_memory else "error", message=text[:2000], hint=hint
    )


def _measured(
    cell: Cell, bench: Bench, context: Context, read: Callable[[int], None] | None
) -> tuple[Record, ScoredExamples]:
    train, valid = bench.rows(cell.train), bench.rows(cell.valid)
    spent = Spent.of(cell, bench)
    cell.approach.warm_up(context)
    release_memory()
    with meter(device_peak=bench.device_peak, told=read) as fitting:
        context = replace(context, kept=lambda: spent.keep(fitting.so_far()))
        predictor = cell.approach.fit(
            bench.task.sealed, train, valid, seed=cell.key.seed, context=context
        )
    return tested(cell, bench, predictor, spent.with_earlier(fitting.usage), read)


def tested(
    cell: Cell,
    bench: Bench,
    predictor: Predictor,
    fitting: Usage,
    read: Callable[[int], None] | None,
) -> tuple[Record, ScoredExamples]:
    """Predict with what was fitted, keep it as a bundle and close it."""
    train, test, task = bench.rows(cell.train), bench.rows(cell.test), bench.task
    try:
        unanswered = [replace(example, answer=None) for example in test]
        with meter(device_peak=bench.device_peak, told=read) as predicting:
            said = predictor.predict(unanswered)
        assert len(said) == len(test), f"{len(said)} predictions for {len(test)} examples"
        latency = _latency(predictor, unanswered)
        changed = _changed(predictor, task, unanswered, said)
        cut = {"train_cut": predictor.num_cut(train), TEST_CUT: predictor.num_cut(unanswered)}
        bundle = bench.store.cell(cell.fingerprint) / "bundle"
        save_bundle(bundle, task, cell.approach, predictor)
    finally:
        predictor.close()
    gold = [str(e.answer) for e in test]
    cost = replace(
        _cost(fitting, predicting.usage, bench),
        total_params=predictor.total_params,
        trainable_params=predictor.trainable_params,
        latency_p50_seconds=latency[0],
        latency_p95_seconds=latency[1],
        adapter_bytes=_weight_bytes(bundle),
    )
    record = Record(
        fingerprint=cell.fingerprint,
        status="done",
        cell=cell.key,
        scores=metrics_of(task).score(said, gold) | changed,
        cost=cost,
        num_train=len(train),
        num_test=len(test),
        notes={**predictor.notes, **cut},
        trials=list(predictor.trials),
        versions=versions(),
        finished=_now(),
    )
    return record, ScoredExamples([e.id for e in test], gold, said)


class Spent:
    """What killed attempts at a fit used up to their last checkpoints; it counts as cost too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.earlier: Usage | None = None
        if path.is_file():
            self.earlier = parse(Usage, json.loads(path.read_text("utf-8")), where=str(path))

    @classmethod
    def of(cls, cell: Cell, bench: Bench) -> "Spent":
        """Of a cell whose work folder exists."""
        return cls(bench.work(cell) / "spent.json")

    def keep(self, usage: Usage) -> None:
        """Write down what was used until the checkpoint that was just made."""
        files.write_text(self.path, json.dumps(plain(self.with_earlier(usage))))

    def with_earlier(self, usage: Usage) -> Usage:
        """The whole of it."""
        return self.earlier.plus(usage) if self.earlier else usage


def _latency(
    predictor: Predictor, examples: Sequence[Example]
) -> tuple[float | None, float | None]:
    """Seconds of single predictions, the first not counted: it may have to warm up."""
    seconds = []
    with meter() as running:
        for example in examples[: LATENCY_EXAMPLES + 1]:
            start = running.seconds()
            predictor.predict([example])
            seconds.append(running.seconds() - start)
    return percentiles(seconds[1:])


def _changed(
    predictor: Predictor, task: TaskSpec, examples: Sequence[Example], said: Predictions
) -> dict[str, float | None]:
    """How often the answer changes when texts whose order means nothing are turned round."""
    turned = [other for example in examples if (other := task.kind.turned(example)) is not None]
    if not turned:
        return {}
    answers = predictor.predict(turned).answers
    changed = sum(one != other for one, other in zip(said.answers, answers, strict=True))
    return {ORDER_DISAGREEMENT: changed / len(turned)}


def _cost(fitting: Usage, predicting: Usage, bench: Bench) -> Cost:
    both = (fitting, predicting)
    energies = [u.energy for u in both if u.energy is not None]
    served = together(fitting.served, predicting.served)
    fit_price, test_price = (_price(each, bench) for each in both)
    return Cost(
        fit_seconds=fitting.wall_seconds,
        predict_seconds=predicting.wall_seconds,
        cpu_seconds=sum(u.cpu_seconds for u in both),
        peak_bytes=max(u.peak_bytes for u in both),
        peak_kind=fitting.peak_kind,
        fit_tokens=fitting.tokens,
        predict_tokens=predicting.tokens,
        fit_flops=fitting.flops,
        predict_flops=predicting.flops,
        energy=replace(energies[0], joules=sum(e.joules for e in energies))
        if len(energies) == len(both) and not served
        else None,
        served=served,
        fees=token_price(served, bench.prices) if served else None,
        fit_price=fit_price,
        price=None if fit_price is None or test_price is None else fit_price + test_price,
        price_currency=bench.prices.currency,
        price_table=bench.prices.title,
    )


def _price(usage: Usage, bench: Bench) -> float | None:
    """Of this machine's time and of what served models did; None where that is not known."""
    machine = price(usage.wall_seconds, machine=bench.machine, cores=cores(), table=bench.prices)
    fees = token_price(usage.served, bench.prices)
    return None if fees is None else machine.amount + fees


def _weight_bytes(bundle: Path) -> int:
    """Bytes of what was learnt: numbers and vocabularies, not the tokenizer nor descriptions."""
    learnt = [*bundle.rglob("*.safetensors"), *bundle.glob("*.json")]
    return sum(p.stat().st_size for p in learnt if p.name != "bundle.json")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
