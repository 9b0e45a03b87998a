from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from textune.data.group_folds import group_folds

ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=30, max_size=80)


@settings(max_examples=50)
@given(ROWS, st.integers(2, 4), st.integers(0, 99))
def test_folds_are_those_of_scikit_learn(rows, folds, state):
    rows = [*((label, place) for place, label in enumerate("abc" * 4)), *rows]
    answers, groups = [label for label, _ in rows], [group for _, group in rows]
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=state)
    expected = [test.tolist() for _, test in splitter.split(answers, answers, groups)]
    assert group_folds(answers, groups, folds, state) == expected
