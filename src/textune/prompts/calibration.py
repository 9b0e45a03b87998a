"""Contextual calibration: what a prompt makes of inputs without content leaves its scores.

Zhao et al., 2021 (Calibrate Before Use), section 4: a model prefers some labels whatever it reads,
for their words, their share among the demonstrations, and the one shown last.
"""

import numpy as np

from textune.data.examples import Example

CONTENT_FREE = ("N/A", "[MASK]", "")
"""Inputs without content, those of the paper."""


def content_free(num_texts: int) -> list[Example]:
    """An example of each such input, with so many texts."""
    return [
        Example(f"content-free-{i}", (text,) * num_texts) for i, text in enumerate(CONTENT_FREE)
    ]


def calibrate(log_NC: np.ndarray, blank_NMC: np.ndarray) -> np.ndarray:
    """Probabilities (N, C) of labels, divided by those of content-free inputs and normalised.

    Args:
        log_NC: Log-likelihoods of the labels for each example.
        blank_NMC: The same for M content-free inputs in the prompt of each example; their
            probabilities are averaged.
    """
    from scipy.special import log_softmax, logsumexp, softmax

    blank_NC = logsumexp(log_softmax(blank_NMC, axis=-1), axis=1) - np.log(blank_NMC.shape[1])
    scores_NC: np.ndarray = softmax(log_softmax(log_NC, axis=-1) - blank_NC, axis=-1)
    return scores_NC
