import pytest

from textune.core.config import plain
from textune.report.compare import compare
from textune.report.recommend import Limits, recommend

GIB = 2**30
STUDY = {
    "full": {"accuracy": 0.9, "price": 5.0, "peak_bytes": 8 * GIB, "latency": 0.05},
    "lora": {"accuracy": 0.9, "price": 1.0, "peak_bytes": 3 * GIB, "copy_of": "full"},
    "encoder": {"accuracy": 0.75, "price": 0.2, "peak_bytes": GIB, "latency": 0.01},
    "tfidf": {"accuracy": 0.5, "price": 0.001, "peak_bytes": GIB // 4, "latency": 0.001},
}


@pytest.fixture
def comparison(make_run):
    return compare(make_run(STUDY, num_examples=400))


def test_of_what_is_tied_the_cheapest_is_recommended(comparison):
    recommendation = recommend(comparison, Limits())
    assert recommendation.choice == "lora"
    assert "2 of 4 are statistically tied with the best: full, lora." in recommendation.reasons
    assert recommendation.rejected == {}


def test_the_reasons_say_what_would_change_the_answer(comparison):
    text = " ".join(recommend(comparison, Limits()).reasons)
    assert "If the highest score matters more than cost, take full" in text
    assert "points is acceptable, encoder is cheaper" in text


def test_a_limit_excludes_and_the_tied_set_is_found_among_the_rest(comparison):
    recommendation = recommend(comparison, Limits(max_memory_bytes=2 * GIB))
    assert recommendation.choice == "encoder"
    assert recommendation.headline.endswith(
        "significantly better than everything else within the limits."
    )
    assert recommendation.rejected["full"] == "memory 8.0 GiB exceeds the limit of 2.0 GiB"
    assert any(r.startswith("Without the limits full would") for r in recommendation.reasons)


def test_what_is_left_alone_is_not_called_better_than_others(comparison):
    memory = {entry.label: entry.contender.cost.peak_bytes for entry in comparison.entries}
    recommendation = recommend(comparison, Limits(max_memory_bytes=min(memory.values())))
    assert recommendation.choice == min(memory, key=memory.get)
    assert recommendation.headline.endswith("the only one to choose from within the limits.")


def test_two_limits_are_both_named(comparison):
    limits = Limits(max_price=2.0, max_latency_seconds=0.015)
    recommendation = recommend(comparison, limits)
    assert recommendation.choice == "encoder"
    assert recommendation.rejected["full"] == (
        "price 5.00 EUR exceeds the limit of 2.00 EUR; latency 50 ms exceeds the limit of 15 ms"
    )


def test_when_nothing_fits_the_smallest_relaxation_is_named(comparison):
    recommendation = recommend(comparison, Limits(max_latency_seconds=0.0001))
    assert recommendation.choice is None
    assert recommendation.headline == "Nothing fits the limits."
    (reason,) = recommendation.reasons
    assert reason.startswith("Raise the limit on latency from 0.1 ms to 1 ms, and tfidf fits")


def test_when_no_single_limit_is_to_blame_all_are_named(comparison):
    limits = Limits(max_latency_seconds=0.0001, max_price=0.0001)
    (reason,) = recommend(comparison, limits).reasons
    assert reason.endswith("relax latency and price.")


def test_what_was_not_measured_does_not_pass_a_limit(make_run):
    comparison = compare(make_run({"a": {"accuracy": 0.9, "latency": None}}))
    recommendation = recommend(comparison, Limits(max_latency_seconds=1.0))
    assert recommendation.choice is None
    assert recommendation.rejected["a"] == "its latency was not measured, and the limit is 1.0 s"
    assert "relax latency" in recommendation.reasons[0]


def test_an_unknown_price_counts_as_dearest(make_run):
    twins = {
        "unknown": {"accuracy": 0.9, "price": None},
        "known": {"accuracy": 0.9, "price": 9.0, "copy_of": "unknown"},
    }
    assert recommend(compare(make_run(twins)), Limits()).choice == "known"


def test_without_any_price_the_faster_prediction_wins(make_run):
    twins = {
        "slow": {"accuracy": 0.9, "price": None, "predict_seconds": 9.0},
        "fast": {"accuracy": 0.9, "price": None, "predict_seconds": 1.0, "copy_of": "slow"},
    }
    assert recommend(compare(make_run(twins)), Limits()).choice == "fast"


def test_the_only_contender_is_recommended_as_such(make_run):
    recommendation = recommend(compare(make_run({"a": {"accuracy": 0.9}})), Limits())
    assert recommendation.choice == "a"
    assert "a is the only one to choose from." in recommendation.reasons


def test_incomplete_contenders_are_rejected_with_their_reason(make_run):
    study = {"a": {"accuracy": 0.9}, "b": {"accuracy": 0.9, "failed": [(0, 0)]}}
    rejected = recommend(compare(make_run(study)), Limits()).rejected
    assert rejected == {"b": "not comparable: 1 failed (out of memory: needed 9 GiB)"}


def test_without_any_complete_contender_nothing_is_recommended(make_run):
    comparison = compare(make_run({"a": {"accuracy": 0.9, "missing": [(0, 0)]}}))
    recommendation = recommend(comparison, Limits())
    assert recommendation.choice is None
    assert "no approach has completed all its cells" in recommendation.headline


def test_a_recommendation_is_plain_data(comparison):
    content = plain(recommend(comparison, Limits(max_price=2.0)))
    assert content["choice"] == "lora"
    assert content["limits"]["max_price"] == 2.0
