from textune.report.axes import axes, currency_of
from textune.report.compare import compare
from textune.report.pareto import front


def price_front(root):
    comparison = compare(root)
    price = axes(currency_of(comparison.loaded.contenders))[0]
    return [entry.label for entry in front(comparison.entries, price)]


def test_the_front_holds_what_is_better_or_cheaper(make_run):
    root = make_run(
        {
            "dear and good": {"accuracy": 0.95, "price": 3.0},
            "dear and poor": {"accuracy": 0.6, "price": 3.0},
            "cheap and fair": {"accuracy": 0.75, "price": 1.0},
        }
    )
    assert price_front(root) == ["cheap and fair", "dear and good"]


def test_at_equal_price_only_a_significant_difference_excludes(make_run):
    root = make_run({"one": {"accuracy": 0.8}, "two": {"accuracy": 0.78}}, num_examples=60)
    assert set(price_front(root)) == {"one", "two"}


def test_of_equal_scores_the_cheaper_one_is_on_the_front(make_run):
    root = make_run(
        {
            "cheap": {"accuracy": 0.8, "price": 1.0},
            "dear": {"accuracy": 0.8, "price": 2.0, "copy_of": "cheap"},
        }
    )
    assert price_front(root) == ["cheap"]


def test_what_has_no_price_is_on_no_price_front(make_run):
    root = make_run({"free": {"accuracy": 0.9, "price": None}, "priced": {"accuracy": 0.5}})
    assert price_front(root) == ["priced"]
