from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from textune.data.label_folds import label_folds


@settings(max_examples=50)
@given(st.lists(st.sampled_from("abcd"), max_size=90), st.integers(2, 5), st.integers(0, 99))
def test_folds_are_those_of_scikit_learn(labels, folds, state):
    answers = [*labels, *"dbca" * 5]
    splitter = StratifiedKFold(folds, shuffle=True, random_state=state)
    expected = [test.tolist() for _, test in splitter.split(answers, answers)]
    assert label_folds(answers, folds, state) == expected
