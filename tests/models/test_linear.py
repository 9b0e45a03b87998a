import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.svm import LinearSVC

from textune.models.linear import (
    SVM_STRENGTHS,
    LinearClassifier,
    best_factor,
    fit_each,
    fit_linear,
)


def planted(classes, seed=0):
    features, codes = make_classification(
        n_samples=300, n_features=8, n_informative=6, n_classes=classes, random_state=seed
    )
    return features, [f"label{code}" for code in codes]


@pytest.mark.parametrize("classes", [2, 3])
def test_a_support_vector_machine_answers_as_that_of_scikit_learn(classes, tmp_path):
    features, answers = planted(classes)
    labels = [f"label{code}" for code in range(classes)]
    ours = fit_linear(features, answers, labels, strength=0.1, seed=0, classifier="svm")
    theirs = LinearSVC(C=0.1, max_iter=10_000, random_state=0).fit(features, answers)
    scores_NC = ours.scores(features)
    assert [labels[i] for i in scores_NC.argmax(1)] == theirs.predict(features).tolist()
    np.testing.assert_allclose(scores_NC.sum(1), 1)
    assert ours.strength == 0.1
    ours.save(tmp_path / "linear.safetensors")
    again = LinearClassifier.load(tmp_path / "linear.safetensors")
    np.testing.assert_array_equal(again.scores(features), scores_NC)


def test_its_probabilities_are_better_than_those_of_bare_margins():
    features, answers = planted(3)
    labels = ["label0", "label1", "label2"]
    train, test = slice(0, 200), slice(200, None)
    ours = fit_linear(
        features[train], answers[train], labels, strength=1e-3, seed=0, classifier="svm"
    )
    theirs = LinearSVC(C=1e-3, max_iter=10_000, random_state=0).fit(
        features[train], answers[train]
    )
    bare = softmax(theirs.decision_function(features[test]), axis=1)
    found = log_loss(answers[test], ours.scores(features[test]), labels=labels)
    assert found < log_loss(answers[test], bare, labels=labels)


def test_the_factor_of_margins_is_the_likeliest():
    draw = np.random.default_rng(0)
    margins = draw.normal(size=(2000, 3))
    codes = np.array([draw.choice(3, p=softmax(2.5 * row)) for row in margins])
    loss, factor = best_factor(margins, codes)
    assert factor == pytest.approx(2.5, rel=0.1)
    assert loss == pytest.approx(log_loss(codes, softmax(factor * margins, axis=1)))
    for other in (0.8 * factor, 1.2 * factor):
        assert loss < log_loss(codes, softmax(other * margins, axis=1))


def test_its_strength_is_one_that_is_offered_and_labels_may_overlap():
    features, _ = planted(2)
    flags = np.stack([features[:, 0] > 0, features[:, 1] + features[:, 2] > 0], axis=1)
    named = [[x for x, has in zip("ab", row, strict=True) if has] for row in flags]
    ours = fit_each(features, named, ["a", "b"], strength="auto", seed=0, classifier="svm")
    assert ((ours.scores(features) >= 0.5) == flags).mean() > 0.9
    one = fit_linear(
        features, planted(2)[1], ["label0", "label1"], strength="auto", seed=0, classifier="svm"
    )
    assert one.strength in SVM_STRENGTHS


def test_where_nothing_can_be_held_out_its_margins_stay_as_they_are():
    features, answers = np.eye(4), ["a", "a", "b", "a"]
    ours = fit_linear(features, answers, ["a", "b"], strength="auto", seed=0, classifier="svm")
    theirs = LinearSVC(C=0.3, max_iter=10_000, random_state=0).fit(features, answers)
    logits = np.log(ours.scores(features))
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], theirs.decision_function(features))
    assert ours.strength == 0.3
