import pytest

from textune.report.blocks import Details, Figure, Points, Table, Text
from textune.report.compare import compare
from textune.report.look import Palette
from textune.report.recommend import NO_LIMITS, Limits, recommend
from textune.report.sections.base import REGISTRY, Context
from textune.report.sections.break_even import break_even
from textune.results.record import Trial

STUDY = {
    "lora": {"accuracy": 0.9, "price": 0.02},
    "encoder": {"accuracy": 0.885, "price": 0.01, "family": "small model"},
    "prompted": {
        "accuracy": 0.5,
        "has_scores": False,
        "invalid": 0.1,
        "price": None,
        "family": "prompted",
    },
}


def context_of(root, limits=NO_LIMITS):
    comparison = compare(root)
    palette = Palette(tuple(comparison.loaded.run.approaches))
    return Context(comparison, recommend(comparison, limits), palette)


def blocks_of(name, root, **options):
    return REGISTRY.get(name)().blocks(context_of(root, **options))


def tables_in(blocks):
    for block in blocks:
        if isinstance(block, Details):
            yield from tables_in(block.blocks)
        elif isinstance(block, Table):
            yield block


def column(table, title):
    at = [c.title for c in table.columns].index(title)
    return [row.cells[at] for row in table.rows]


def test_the_folder_holds_these_sections():
    assert set(REGISTRY.names()) >= {
        "summary",
        "leaderboard",
        "significance",
        "pareto",
        "learning_curve",
        "per_class",
        "confusion",
        "errors",
        "costs",
        "failures",
    }


def test_no_two_sections_share_a_place():
    orders = [REGISTRY.get(name).order for name in REGISTRY.names()]
    assert len(orders) == len(set(orders))


@pytest.mark.parametrize("name", REGISTRY.names())
def test_every_section_copes_with_a_run_in_which_nothing_worked(make_run, name):
    root = make_run({"a": {"accuracy": 0.9, "failed": [(0, 0)]}})
    for block in blocks_of(name, root):
        assert not isinstance(block, Figure)


@pytest.mark.parametrize("name", REGISTRY.names())
def test_every_section_copes_with_a_single_contender(make_run, name):
    blocks_of(name, make_run({"a": {"accuracy": 0.9}}))


def test_the_summary_leads_with_the_answer_and_says_what_is_not_shown(make_run):
    lead, reasons, *rest = blocks_of("summary", make_run(STUDY, num_examples=400))
    assert lead.role == "lead"
    assert lead.text.startswith("Take encoder: macro F1 of ")
    assert isinstance(reasons, Points)
    text = " ".join(item for block in rest if isinstance(block, Points) for item in block.items)
    assert "written by textune's authors" in text
    assert "single seed" in text
    assert "tied does not mean equal" in text


def test_the_summary_says_whose_tested_texts_were_cut(make_run):
    cut = {**STUDY, "lora": {**STUDY["lora"], "cut": 12}}
    (points,) = [b for b in blocks_of("summary", make_run(cut))[2:] if isinstance(b, Points)]
    assert any(item.endswith("read in parts: 12 by lora.") for item in points.items)
    (points,) = [b for b in blocks_of("summary", make_run(STUDY))[2:] if isinstance(b, Points)]
    assert not any("read in parts" in item for item in points.items)


def test_the_summary_lists_what_was_rejected(make_run):
    blocks = blocks_of("summary", make_run(STUDY), limits=Limits(max_price=0.015))
    rejected = next(t for t in tables_in(blocks) if t.name == "rejected")
    assert column(rejected, "Approach") == ["lora", "prompted"]


def test_the_leaderboard_ranks_marks_the_tied_and_shows_invalid_answers(make_run):
    blocks = blocks_of("leaderboard", make_run(STUDY, folds=3, num_examples=300))
    board, metrics = tables_in(blocks)
    assert column(board, "Approach") == ["lora", "encoder", "prompted"]
    assert column(board, "Rank") == [1, 2, 3]
    assert [row.marked for row in board.rows] == [True, True, False]
    assert column(board, "invalid rate")[2] > 0.05
    assert "Price (EUR)" in [c.title for c in board.columns]
    titles = [c.title for c in metrics.columns]
    assert "Brier score" in titles
    assert "ECE" not in titles  # of all folds together, in its own section
    assert not any("background" in title for title in titles)


def test_a_fixed_split_has_no_column_of_an_interval_over_cells(make_run):
    board = next(tables_in(blocks_of("leaderboard", make_run(STUDY))))
    assert "95 % over cells" not in [c.title for c in board.columns]


def test_an_approach_keeps_its_colour(make_run):
    root = make_run(STUDY, folds=2)
    colours = {}
    for name in ("leaderboard", "significance", "costs", "pareto"):
        for table in tables_in(blocks_of(name, root)):
            for row in table.rows:
                assert colours.setdefault(row.cells[0], row.colour) == row.colour
    assert len(set(colours.values())) == 3


def test_significance_says_which_test_decides(make_run):
    fixed = blocks_of("significance", make_run(STUDY))
    assert "paired bootstrap" in fixed[1].text
    assert "P folds" not in [c.title for c in fixed[2].columns]


def test_significance_over_folds_has_the_t_test_beside(make_run):
    tied, rule, table = blocks_of("significance", make_run(STUDY, folds=5, num_examples=400))
    assert tied.text == "encoder is statistically tied with the best, lora."
    assert "second opinion" in rule.text
    assert all(p is not None for p in column(table, "P folds"))


def test_a_learning_curve_needs_two_sizes(make_run):
    assert blocks_of("learning_curve", make_run(STUDY)) == []
    (figure,) = blocks_of("learning_curve", make_run(STUDY, sizes=(100, 400)))
    assert isinstance(figure, Figure)


def test_the_size_is_named_from_which_on_tuning_is_better(make_run):
    study = {
        "lora": {"accuracy": 0.3, "gain": 0.6},
        "encoder": {"accuracy": 0.68, "family": "small model"},
        "8-shot": {"accuracy": 0.4, "family": "prompted"},
        "nearest": {"accuracy": 0.92, "family": "small model"},
    }
    root = make_run(study, sizes=(50, 200, 400), num_examples=600)
    points, details = blocks_of("overtaking", root)
    assert set(points.items) == {
        "lora is significantly above encoder from 400 training examples on, and significantly "
        "below it with 200.",
        "lora is significantly above 8-shot from 200 training examples on.",
        "lora is not significantly above nearest with 400 training examples, and significantly "
        "below it with 200.",
    }
    (table,) = details.blocks
    assert len(table.rows) == 3 * 3
    assert all(0 <= p <= 1 for p in column(table, "P adjusted"))
    assert blocks_of("overtaking", make_run(study)) == []


def test_tuning_pays_from_the_document_on_that_makes_it_cheaper(make_run):
    study = {
        "lora": {"accuracy": 0.9, "price": 0.63, "fit_seconds": 60, "predict_seconds": 3},
        "8-shot": {
            "accuracy": 0.5,
            "price": 0.1,
            "fit_seconds": 0,
            "predict_seconds": 10,
            "family": "prompted",
        },
        "zero-shot": {
            "accuracy": 0.4,
            "price": 0.02,
            "fit_seconds": 0,
            "predict_seconds": 2,
            "family": "prompted",
        },
    }
    table, _ = blocks_of("break_even", make_run(study, num_examples=240))
    by_rival = {row.cells[1]: row.cells for row in table.rows}
    assert by_rival["zero-shot"][-1] == "never"
    assert by_rival["8-shot"][3:5] == (pytest.approx(0.6), 0)
    assert by_rival["8-shot"][5:7] == (pytest.approx(0.03 / 0.24), pytest.approx(0.1 / 0.24))
    assert by_rival["8-shot"][-1] == pytest.approx(0.6 / (0.07 / 240), abs=1)
    study["lora"]["price"] = None
    assert blocks_of("break_even", make_run(study)) == []


@pytest.mark.parametrize(
    ("prices", "documents"),
    [
        ((10, 1000, 0, 2000), 11),
        ((10.5, 1000, 0, 2000), 11),
        ((0, 1000, 5, 1000), 0),
        ((0, 2000, 5, 1000), None),
        ((5, 1000, 5, 1000), None),
        ((5, 999, 5, 1000), 1),
    ],
)
def test_the_break_even_is_the_first_number_of_documents_that_is_cheaper(prices, documents):
    assert break_even(*prices) == documents
    if documents:
        fit, each, other_fit, other_each = prices
        before, at = (
            fit + n * each / 1000 - other_fit - n * other_each / 1000
            for n in (documents - 1, documents)
        )
        assert at < 0 <= before


def test_confusions_count_every_example_and_show_the_unreadable(make_run):
    (table,) = tables_in(blocks_of("confusion", make_run(STUDY, num_examples=240)))
    assert sum(column(table, "Examples")) == 3 * 240
    assert "unreadable" in column(table, "Answer")


def test_errors_come_most_confident_first_with_their_texts(make_run):
    long = "very " * 200
    _, first, *_ = blocks_of("errors", make_run(STUDY, texts=dict.fromkeys(range(240), long)))
    (table,) = first.blocks
    scores = column(table, "Score")
    assert scores == sorted(scores, reverse=True)
    assert all(g != a for g, a in zip(column(table, "Gold"), column(table, "Answer"), strict=True))
    assert all(len(text) < 410 for text in column(table, "Text"))


def test_both_texts_of_a_pair_are_shown_and_no_empty_score(make_run):
    root = make_run(STUDY, labels=("same", "other"), positive="same", texts={0: "x" * 900})
    *_, last = blocks_of("errors", root)
    (table,) = last.blocks
    assert [c.title for c in table.columns] == ["Text 1", "Text 2", "Gold", "Answer", "Id"]


def test_many_labels_get_fewer_heat_maps(make_run):
    labels = [f"label {number}" for number in range(20)]
    figure, counts = blocks_of("confusion", make_run(STUDY, labels=labels))
    assert figure.caption.endswith("The best 2 of 3 are shown.")
    assert len(counts.blocks[0].rows) == 2 * 20 * 20


def test_costs_say_where_energy_and_prices_come_from(make_run):
    note, table = blocks_of("costs", make_run(STUDY))
    assert isinstance(note, Text)
    assert "example cloud, 2026-01" in note.text
    assert "15 W assumed" in note.text
    assert column(table, "Energy from") == ["estimate"] * 3
    assert "Tokens fitted" not in [c.title for c in table.columns]
    assert "side by side" not in note.text


def test_costs_say_which_cells_shared_theirs(make_run):
    shared = {**STUDY, "lora": {**STUDY["lora"], "side_by_side": 2}}
    note, _ = blocks_of("costs", make_run(shared, folds=2))
    assert "Cells of lora were trained side by side" in note.text


def test_failures_stand_only_where_there_are_any(make_run):
    assert blocks_of("failures", make_run(STUDY)) == []
    broken = {**STUDY, "full": {"accuracy": 0.9, "failed": [(1, 0)]}}
    incomplete, failed = blocks_of("failures", make_run(broken, folds=2))
    assert column(incomplete, "Approach") == ["full"]
    assert column(failed, "Message") == ["needed 9 GiB"]


def test_every_tuned_approach_is_tested_against_every_prompted_one(make_run):
    blocks = blocks_of("tuning_pays", make_run(STUDY))
    (table,) = tables_in(blocks)
    assert column(table, "Tuned") == ["lora"]
    assert column(table, "Prompted") == ["prompted"]
    assert column(table, "Difference")[0] > 0.3
    assert column(table, "P adjusted")[0] < 0.001
    assert blocks[0].text.startswith("In 1 of 1 pairs")


def test_without_a_prompted_approach_there_is_nothing_to_compare_tuning_with(make_run):
    assert blocks_of("tuning_pays", make_run({"lora": {"accuracy": 0.9}})) == []


def tries(*scores):
    return [
        Trial(settings={"lr": 1e-3 * (place + 1)}, score=score, seconds=10.0)
        for place, score in enumerate(scores)
    ]


def test_a_search_shows_its_budget_choice_and_sensitivity(make_run):
    study = {
        "lora": {"accuracy": 0.9, "trials": tries(0.6, 0.8, 0.5), "fit_seconds": 60.0},
        "ia3": {"accuracy": 0.7, "trials": tries(0.7, None, 0.7), "fit_seconds": 40.0},
        "tfidf": {"accuracy": 0.6, "family": "small model"},
    }
    budget, table, note, trials = blocks_of("search", make_run(study, seeds=(0, 1)))
    assert "every cell of ia3: a wider search" in note.text
    assert "spent 3 trials" in budget.text
    assert "fitted on 400 examples, scored on 100 others" in budget.text
    assert column(table, "Approach") == ["lora", "ia3"]
    assert column(table, "Chosen") == ["lr 0.002", "lr 0.001"]
    assert column(table, "Best trial") == [0.8, 0.7]
    assert column(table, "Gain") == pytest.approx([0.2, 0.0])
    assert column(table, "Spread") == pytest.approx([0.3, 0.0])
    assert column(table, "Lost") == [0, 2]
    assert column(table, "Share of fitting") == [0.5, 0.75]
    (every,) = tables_in([trials])
    assert len(every.rows) == 12
    assert column(every, "Score")[:3] == [0.6, 0.8, 0.5]


def test_a_search_that_ended_at_an_end_of_its_rates_says_so(make_run):
    study = {
        "lora": {"accuracy": 0.9, "trials": tries(0.6, 0.7, 0.8)},
        "ia3": {"accuracy": 0.8, "trials": tries(0.6, 0.8, 0.5)},
        "full": {"accuracy": 0.7, "trials": tries(0.6, 0.5, 0.4)},
    }
    note = blocks_of("search", make_run(study, seeds=(0, 1)))[2]
    assert "every cell of lora, full: a wider search" in note.text


def test_different_budgets_are_not_called_equal(make_run):
    study = {
        "lora": {"accuracy": 0.9, "trials": tries(0.6, 0.8)},
        "ia3": {"accuracy": 0.7, "trials": tries(0.7)},
    }
    budget, *_ = blocks_of("search", make_run(study))
    assert "different numbers of trials" in budget.text


def test_nothing_is_said_of_searches_where_there_were_none(make_run):
    assert blocks_of("search", make_run(STUDY)) == []
