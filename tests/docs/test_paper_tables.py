"""Tables of papers from small runs whose predictions are written here, counted a second time."""

import json
import sys
from collections import Counter
from dataclasses import dataclass

import numpy as np
import paper_tables
import publish_result
import pytest
from papers import han, liu
from scipy.stats import t
from sklearn.metrics import accuracy_score, f1_score

from textune.core import seeds
from textune.data.entities import entity, write_entities
from textune.data.examples import Example, Examples
from textune.data.predictions import Predictions
from textune.evaluation.metrics.base import metrics_of
from textune.report.build import build_overview
from textune.results.parts import PartsSpec, save_parts
from textune.results.record import CellKey, Cost, Record, ScoredExamples
from textune.results.run import ApproachInfo, PlannedCell, ProtocolSpec, RunSpec, save_run
from textune.results.store import Store
from textune.tasks.base import load_task

MODEL = "smollm2-135m-instruct"
NUM, FOLDS = 120, 5
TEXT = "a model of a model of data"
SPANS = [(2, 7, "Method"), (13, 18, "Method"), (22, 26, "Material")]


@dataclass(frozen=True)
class Fake:
    """An approach that is right with this probability."""

    accuracy: float
    family: str = "tuned"
    method: str | None = None
    fit_seconds: float = 10.0
    peak_kind: str = "resident"

    def info(self, label):
        has_model = self.family in ("tuned", "prompted")
        model = MODEL if has_model else None
        spec = {label: {}}
        return ApproachInfo(spec=spec, family=self.family, model=model, method=self.method)


LIU = {
    "tfidf": Fake(0.85, "small model"),
    "zero-shot": Fake(0.3, "prompted"),
    "8-shot": Fake(0.4, "prompted"),
    "full": Fake(0.97, method="full", fit_seconds=30),
    "qlora": Fake(0.96, method="qlora", fit_seconds=5, peak_kind="device"),
    "prefix": Fake(0.5, method="prefix"),
}
HAN = {
    "zero-shot": Fake(0.4, "prompted"),
    "lora": Fake(0.95, method="lora"),
    "siamese_cnn": Fake(0.7, "small model"),
}


def entities_of(marks):
    """The answer that has these of the three spans, the second one at the place of the first."""
    return write_entities(entity(TEXT, *SPANS[at]) for at in marks)


def draw_answer(draws, task, gold, accuracy):
    """Right, or something else that the task allows."""
    if draws.random() < accuracy:
        return gold
    if task.kind.has_entities:
        return entities_of([[], [0], [1, 2], [0, 1]][draws.integers(4)])
    return str(draws.choice([label for label in task.labels if label != gold]))


def write_part(root, task_name, fakes, *, folds=1, turned=False, same=False):
    """A run of two seeds, or of folds; ``turned`` lists the examples the other way round.

    With ``same`` an example gets the same answer whatever its fold is.
    """
    task, store, cells = load_task(task_name), Store(root), []
    draws = seeds.generator(1, task_name)
    golds = [
        entities_of([[0, 2], [1], [0]][draws.integers(3)])
        if task.kind.has_entities
        else str(draws.choice(list(task.labels)))
        for _ in range(NUM)
    ]
    texts = (TEXT,) * (2 if task_name in ("qqp", "scinli") else 1)
    rows = [Example(f"e{at:03d}", texts, gold) for at, gold in enumerate(golds)]
    rows = rows[::-1] if turned else rows
    for label, fake in fakes.items():
        for seed in (0, 1) if folds == 1 else (0,):
            for fold, part in enumerate(np.array_split(np.arange(NUM), folds)):
                examples = [rows[at] for at in part]
                answers = []
                for example in examples:
                    known = () if same else (fold, turned)
                    own = seeds.generator(2, task_name, label, seed, example.id, *known)
                    answers.append(draw_answer(own, task, example.answer, fake.accuracy))
                name = f"{seeds.derive(0, label, seed, fold):016x}"[:16]
                key = CellKey(task=task_name, approach=label, size=40, fold=fold, seed=seed)
                cells.append(PlannedCell(fingerprint=name, cell=key))
                store.save(*record_of(name, key, task, examples, answers, fake))
    run = RunSpec(
        textune="0.1.0",
        name="paper",
        task=task,
        protocol=ProtocolSpec(
            split="fixed" if folds == 1 else "kfold",
            folds=folds,
            seeds=(0, 1) if folds == 1 else (0,),
            sizes=(40,),
        ),
        approaches={label: fake.info(label) for label, fake in fakes.items()},
        data_hash={},
        num_examples={"train": 40},
        cells=tuple(cells),
    )
    save_run(root, run, Examples(tuple(rows)))


def record_of(name, key, task, examples, answers, fake):
    gold, said = [e.answer for e in examples], Predictions(answers, None)
    record = Record(
        fingerprint=name,
        status="done",
        cell=key,
        scores=metrics_of(task).score(said, gold),
        cost=Cost(
            fit_seconds=fake.fit_seconds,
            predict_seconds=1.0,
            cpu_seconds=fake.fit_seconds + 1,
            peak_bytes=int(fake.fit_seconds * 2**20),
            peak_kind=fake.peak_kind,
            trainable_params=100 if fake.method else None,
            price=fake.fit_seconds / 1000,
            price_currency="USD",
        ),
        num_train=40,
        num_test=len(examples),
    )
    return record, ScoredExamples([e.id for e in examples], gold, said)


@pytest.fixture
def make_liu(tmp_path):
    """Writes the run of the three tasks; changes are fakes by label."""

    def make(**changes):
        tasks = {"function": "scicite", "entities": "scierc", "reasoning": "scinli"}
        for part, task in tasks.items():
            write_part(tmp_path / "run" / part, task, {**LIU, **changes})
        save_parts(tmp_path / "run", PartsSpec(name="paper", parts=tuple(tasks)))
        return tmp_path / "run"

    return make


@pytest.fixture
def make_han(tmp_path):
    """Writes the run of both ways to make folds."""

    def make(*, same=False, **changes):
        fakes = {**HAN, **changes}
        write_part(tmp_path / "run" / "random", "qqp", fakes, folds=FOLDS, same=same)
        write_part(tmp_path / "run" / "grouped", "qqp", fakes, folds=FOLDS, turned=True, same=same)
        save_parts(tmp_path / "run", PartsSpec(name="paper", parts=("grouped", "random")))
        return tmp_path / "run"

    return make


def table_with(text, *titles):
    """First cell -> column -> cell, of the first table with these columns."""
    for block in text.split("\n\n"):
        lines = [[c.strip() for c in line[2:-1].split("| ")] for line in block.splitlines()]
        if block.startswith("|") and set(titles) <= set(lines[0]):
            return {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:]}
    raise AssertionError(titles)


def cells_of(root, label):
    """(gold, answers) of each cell."""
    store = Store(root)
    records = [r for r in store.records() if r.cell.approach == label]
    records.sort(key=lambda r: (r.cell.seed, r.cell.fold))
    scored = [store.predictions(r.fingerprint) for r in records]
    return [(each.gold, each.predictions.answers) for each in scored]


def percent(value):
    return f"{100 * value:.1f}"


def verdicts(text):
    """Number of the claim -> what is said of it here."""
    lines = [line for line in text.splitlines() if line.startswith("- Claim ")]
    return {line.split()[2].rstrip(":"): line.rpartition("Here: ")[2] for line in lines}


def pair_f1(golds, answers):
    """As the authors' script counts: a found pair of string and type is looked up in the gold."""
    right = found = there = 0
    for gold, answer in zip(golds, answers, strict=True):
        true, said = ([(e[3], e[2]) for e in json.loads(x)] for x in (gold, answer))
        right, found, there = (
            right + sum(pair in true for pair in said),
            found + len(said),
            there + len(true),
        )
    return 2 * right / (found + there)


def span_f1(golds, answers):
    right = found = there = 0
    for gold, answer in zip(golds, answers, strict=True):
        true, said = (Counter(map(tuple, json.loads(x))) for x in (gold, answer))
        right, found, there = (
            right + (true & said).total(),
            found + said.total(),
            there + true.total(),
        )
    return 2 * right / (found + there)


def test_scores_of_the_three_tasks_are_those_counted_from_the_predictions(make_liu):
    root = make_liu()
    rows = table_with(liu.markdown(root), "function: macro F1")
    assert list(rows) == ["zero-shot", "8-shot", "full", "qlora", "prefix", "tfidf"]
    ways = {
        "function: macro F1": lambda g, a: f1_score(g, a, average="macro"),
        "function: weighted F1": lambda g, a: f1_score(g, a, average="weighted"),
        "entities: pair F1": pair_f1,
        "entities: strict span F1": span_f1,
        "reasoning: accuracy": accuracy_score,
        "reasoning: macro F1": lambda g, a: f1_score(g, a, average="macro"),
    }
    for label, cells in rows.items():
        for title, count in ways.items():
            part = title.partition(":")[0]
            of_seeds = [count(*each) for each in cells_of(root / part, label)]
            assert len(of_seeds) == 2
            assert cells[title].split()[0] == percent(np.mean(of_seeds)), (label, title)
    assert rows["prefix"]["entities: pair F1"] != rows["prefix"]["entities: strict span F1"]


def test_entities_are_tested_by_the_pairs_of_the_authors(make_liu):
    root = make_liu()
    tests = table_with(liu.markdown(root), "Method", "entities")
    assert list(tests) == ["qlora", "prefix"]
    means = {
        label: np.mean([pair_f1(*each) for each in cells_of(root / "entities", label)])
        for label in ("full", "qlora", "prefix")
    }
    for label, cells in tests.items():
        assert cells["entities"] == f"{100 * (means['full'] - means[label]):+.1f}"


def test_costs_are_summed_over_tasks_and_scores_set_against_full_fine_tuning(make_liu):
    root = make_liu()
    cells = table_with(liu.markdown(root), "Processor time")["qlora"]
    assert (cells["Tasks"], cells["Trainable parameters"], cells["Fit"]) == ("3", "100", "15.0 s")
    assert (cells["Peak memory"], cells["Processor time"]) == ("5.0 MiB", "18.0 s")
    assert cells["Price (USD)"] == "0.015"
    scores = {
        label: np.mean([accuracy_score(*each) for each in cells_of(root / "reasoning", label)])
        for label in ("qlora", "full")
    }
    kept = float(cells["Of full's score, reasoning"])
    assert kept == pytest.approx(100 * scores["qlora"] / scores["full"], abs=1)


def test_an_approach_that_a_task_lacks_has_no_number_there(make_liu):
    root = make_liu()
    write_part(root / "entities", "scierc", {k: v for k, v in LIU.items() if k != "tfidf"})
    text = liu.markdown(root)
    assert table_with(text, "function: macro F1")["tfidf"]["entities: pair F1"] == "-"
    assert table_with(text, "Processor time")["tfidf"]["Tasks"] == "2"
    assert "not in this run in entities" in verdicts(text)["5"]


def test_verdicts_follow_from_the_predictions(make_liu):
    said = verdicts(liu.markdown(make_liu(tfidf=Fake(0.35, "small model"))))
    assert said["1b"] == said["2"] == said["4"] == "reproduced."
    assert said["3"] == "cannot be tested at this size."
    assert said["5"] == "not reproduced in function, entities; reproduced in reasoning."


def test_other_predictions_and_costs_turn_the_verdicts(make_liu):
    changes = {
        "full": Fake(0.3, method="full", fit_seconds=2),
        "qlora": Fake(0.7, method="qlora", fit_seconds=5, peak_kind="device"),
        "zero-shot": Fake(0.99, "prompted"),
    }
    said = verdicts(liu.markdown(make_liu(**changes)))
    assert said["1a"] == said["1b"] == said["2"] == said["4"] == "not reproduced."


def test_where_nothing_was_learnt_no_claim_is_judged(make_liu):
    root = make_liu(tfidf=Fake(0.35, "small model"))
    guessing = {label: Fake(1 / 4, method=label) for label in ("full", "qlora", "prefix")}
    write_part(root / "reasoning", "scinli", {**LIU, **guessing})
    text = liu.markdown(root)
    said = verdicts(text)
    for claim in ("1a", "1b", "4", "5"):
        assert "cannot be tested at this size in reasoning" in said[claim], claim
    assert "no tuned model has learnt anything here" in text
    assert said["4"].startswith("reproduced in function, entities")


def test_a_processor_cannot_test_what_costs_least(make_liu):
    qlora = Fake(0.88, method="qlora", fit_seconds=5)
    text = liu.markdown(make_liu(qlora=qlora))
    assert verdicts(text)["2"] == "cannot be tested at this size."
    assert "among 3 tuned methods" in text
    assert "peak memory 1, fit 1" in text


def test_scores_over_folds_are_those_counted_from_the_predictions(make_han):
    root = make_han()
    rows = table_with(han.markdown(root), "random: accuracy")
    assert list(rows) == ["zero-shot", "lora", r"siamese\_cnn"]
    for label in HAN:
        cells, pooled = rows[label.replace("_", r"\_")], {}
        for part in ("random", "grouped"):
            found = cells_of(root / part, label)
            of_folds = [f1_score(g, a, pos_label="duplicate") for g, a in found]
            assert len(of_folds) == FOLDS
            half = t.ppf(0.975, FOLDS - 1) * np.std(of_folds, ddof=1) / np.sqrt(FOLDS)
            mean = np.mean(of_folds)
            shown = f"{percent(mean)} ({percent(mean - half)} to {percent(min(1, mean + half))})"
            assert cells[f"{part}: F1, mean over folds"] == shown
            gold, answers = ([x for of in each for x in of] for each in zip(*found, strict=True))
            pooled[part] = f1_score(gold, answers, pos_label="duplicate")
            assert cells[f"{part}: F1, pooled"].split()[0] == percent(pooled[part])
            assert cells[f"{part}: accuracy"] == percent(accuracy_score(gold, answers))
        difference = 100 * (pooled["random"] - pooled["grouped"])
        assert cells["Random minus grouped"] == f"{difference:+.1f}"


def test_the_same_answers_with_random_and_grouped_folds_differ_in_nothing(make_han):
    for cells in table_with(han.markdown(make_han(same=True)), "random: accuracy").values():
        assert (cells["Random minus grouped"], cells["P adjusted"]) == ("+0.0", "1.000")


def test_the_tuned_model_is_tested_against_prompts_and_the_siamese_network(make_han):
    text = han.markdown(make_han())
    said = verdicts(text)
    assert said["1"] == said["2"] == "reproduced."
    assert said["3"] == "cannot be tested at this size."
    assert "Pooled F1 of lora minus" in text
    assert r"Pooled F1 of siamese\_cnn minus" in text


def test_a_difference_that_so_few_pairs_cannot_show_is_not_judged(make_han):
    said = verdicts(han.markdown(make_han(siamese_cnn=Fake(0.93, "small model"))))
    assert said["2"] == "cannot be tested at this size."
    said = verdicts(han.markdown(make_han(lora=Fake(0.3, method="lora"))))
    assert said["2"] == "cannot be tested at this size."  # worse than any one label
    small = Fake(0.95, "small model")
    said = verdicts(han.markdown(make_han(lora=Fake(0.7, method="lora"), siamese_cnn=small)))
    assert said["2"] == "not reproduced."


def test_a_published_page_has_the_tables_of_the_paper_first(make_han, tmp_path, monkeypatch):
    root = make_han()
    build_overview(root)
    (tmp_path / "run.md").write_text("# run\n\n```bash\nold\n```\n\nBy hand.\n\n## Gone\n")
    monkeypatch.setattr(publish_result, "RESULTS", tmp_path)
    command = ["publish_result.py", str(root), "textune study x.yaml", "--paper", "han"]
    monkeypatch.setattr(sys, "argv", command)
    publish_result.main()
    page = (tmp_path / "run.md").read_text()
    titles = [line[3:] for line in page.splitlines() if line.startswith("## ")]
    assert titles[:3] == ["Claims of the paper", "As in the paper: F1 of duplicates", "Parts"]
    assert "python docs/results/paper_tables.py han runs/run\n```\n\nBy hand.\n\n## " in page
    assert "\n\n## Parts" in page


def test_a_folder_without_the_run_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["paper_tables.py", "liu", str(tmp_path)])
    with pytest.raises(SystemExit, match=str(tmp_path)):
        paper_tables.main()
