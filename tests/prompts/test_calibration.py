import numpy as np
import pytest

from textune.prompts.calibration import CONTENT_FREE, calibrate, content_free


def test_probabilities_are_divided_by_those_of_content_free_inputs_and_normalised():
    # By hand: (0.6, 0.4) over the mean of (0.9, 0.1), (0.8, 0.2) and (0.7, 0.3), which is
    # (0.8, 0.2), gives (0.75, 2), normalised (3 / 11, 8 / 11).
    log = np.log([[0.6, 0.4]])
    blank = np.log([[[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]])
    np.testing.assert_allclose(calibrate(log, blank), [[3 / 11, 8 / 11]])


def test_log_likelihoods_of_labels_alone_count_not_those_of_everything_else():
    log = np.log([[0.6, 0.4]]) - 7
    blank = np.log([[[0.8, 0.2]]]) - np.array([[[3.0]]])
    np.testing.assert_allclose(calibrate(log, blank), [[3 / 11, 8 / 11]])


def test_an_input_without_content_gets_even_scores():
    blank = np.log([[[0.98, 0.01, 0.01]]])
    np.testing.assert_allclose(calibrate(blank[0], blank), [[1 / 3] * 3])


def test_a_label_that_a_prompt_nearly_excludes_makes_no_division_by_zero():
    scores = calibrate(np.array([[-2000.0, 0.0]]), np.array([[[-3000.0, 0.0]]]))
    assert scores == pytest.approx(np.array([[1.0, 0.0]]))


def test_content_free_examples_have_the_texts_of_the_paper():
    assert [e.texts for e in content_free(2)] == [(text, text) for text in CONTENT_FREE]
    assert CONTENT_FREE == ("N/A", "[MASK]", "")
