"""Conformance suites and tiny models: what every plug-in promises, as checks that anyone can call.

    from textune.testing import check_method

    def test_my_method() -> None:
        check_method(MyMethod(), tiny_model("llama"))

A check raises AssertionError with the promise that is broken.
"""

from textune.testing.approaches import check_approach
from textune.testing.methods import check_method
from textune.testing.models import (
    ARCHITECTURES,
    moved,
    tiny_encoder_folder,
    tiny_items,
    tiny_model,
    tiny_model_folder,
    tiny_quantised_model,
)
from textune.testing.paths import (
    check_packed_equals_plain,
    check_same_gradients,
    gradients,
)

__all__ = [
    "ARCHITECTURES",
    "check_approach",
    "check_method",
    "check_packed_equals_plain",
    "check_same_gradients",
    "gradients",
    "moved",
    "tiny_encoder_folder",
    "tiny_items",
    "tiny_model",
    "tiny_model_folder",
    "tiny_quantised_model",
]
