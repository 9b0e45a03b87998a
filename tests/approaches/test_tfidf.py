import numpy as np
import pytest

from textune.approaches.base import Context
from textune.approaches.tfidf import Tfidf
from textune.core.config import fingerprint
from textune.core.errors import ImpossibleError, StoreError
from textune.data.examples import Example
from textune.testing import check_approach
from textune.training.objective import main_score


def fitted(approach, task, train):
    return approach.fit(task, train, (), seed=0, context=Context())


@pytest.mark.parametrize("kind", ["pair", "grade"])
@pytest.mark.parametrize("classifier", ["logistic", "svm"])
def test_features_of_pairs_keep_the_promises(kind, classifier, request):
    task, examples = (request.getfixturevalue(f"{kind}_{what}") for what in ("task", "examples"))
    check_approach(Tfidf(features="pair", classifier=classifier), task, examples)


@pytest.mark.parametrize("kind", ["classify", "sets", "pair"])
def test_a_support_vector_machine_keeps_them(kind, request):
    task, examples = (request.getfixturevalue(f"{kind}_{what}") for what in ("task", "examples"))
    check_approach(Tfidf(classifier="svm"), task, examples)


def test_what_texts_share_is_learnt_from_features_of_pairs_alone(pair_task):
    """No word tells anything by itself: duplicates are the pairs of the same words."""
    draw = np.random.default_rng(0)
    words = ["".join(draw.choice(list("aeioudgklmnrst"), 6)) for _ in range(40)]
    pairs = []
    for place in range(200):
        chosen = draw.permutation(words)
        first, other = chosen[:4], draw.permutation(chosen[: 8 if place % 2 else 4])[-4:]
        answer = "different" if place % 2 else "duplicate"
        pairs.append(Example(f"{place}", (" ".join(first), " ".join(other)), answer))
    train, test = pairs[:120], pairs[120:]
    scores = {
        features: main_score(
            fitted(Tfidf(features=features), pair_task, train).predict(test),
            pair_task,
            test,
        )
        for features in ("joined", "pair")
    }
    assert scores["pair"] > 0.95
    assert scores["joined"] < 0.8


def test_the_order_of_two_texts_changes_no_score(pair_task, pair_examples):
    predictor = fitted(Tfidf(features="pair"), pair_task, pair_examples)
    turned = [pair_task.kind.turned(example) for example in pair_examples]
    expected = predictor.predict(pair_examples).scores
    assert predictor.predict(turned).scores == pytest.approx(expected, abs=1e-9)


def test_features_of_pairs_need_two_texts(classify_task):
    with pytest.raises(ImpossibleError, match=r"features: pair needs two texts"):
        Tfidf(features="pair").check(classify_task)


def test_options_that_came_later_leave_earlier_cells_as_they_are():
    before = {"words": 2, "characters": 5, "min_count": 2, "strength": "auto"}
    assert fingerprint(Tfidf()) == fingerprint({"tfidf@1": before})
    assert fingerprint(Tfidf(classifier="svm")) != fingerprint(Tfidf())
    assert fingerprint(Tfidf(features="pair")) != fingerprint(Tfidf())


def test_damaged_terms_are_named(tmp_path, pair_task, pair_examples):
    approach = Tfidf(features="pair")
    fitted(approach, pair_task, pair_examples).save(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "linear.safetensors", "rarity.safetensors", "terms-0.json", "terms-1.json",
    ]  # fmt: skip
    (tmp_path / "terms-1.json").write_text('["a"]')
    with pytest.raises(StoreError, match="terms and rarities differ in number"):
        approach.load(pair_task, tmp_path, context=Context())
