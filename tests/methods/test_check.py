"""The conformance suite finds methods that break a promise."""

import itertools

import pytest
import torch

from textune.methods.base import Hooks
from textune.methods.loha import LoHa
from textune.methods.lora import LoRA
from textune.methods.prompt_tuning import PromptTuning
from textune.methods.vera import VeRA
from textune.testing import check_method, tiny_model


def refused(method, promise):
    with pytest.raises(AssertionError, match=promise):
        check_method(method, tiny_model("llama"))


def test_a_start_that_is_not_the_base_is_found(monkeypatch):
    monkeypatch.setattr(PromptTuning, "starts_at_base", True)
    refused(PromptTuning(), "must start at the base")


def test_a_weight_that_changes_without_a_gradient_is_found(monkeypatch):
    class Leak(Hooks):
        def __init__(self, adapted):
            self.adapted = adapted

        def after_step(self, step):
            self.adapted.get_base_model().model.norm.weight.data[0] += 1e-3

    monkeypatch.setattr(LoRA, "hooks", lambda self, adapted: Leak(adapted))
    refused(
        LoRA(), r"changed without being trainable: \['base_model\.model\.model\.norm\.weight'\]"
    )


def test_a_parameter_that_never_moves_is_found(monkeypatch):
    apply = LoRA.apply

    def with_idle_part(self, model, head):
        adapted = apply(self, model, head)
        adapted.register_parameter("idle", torch.nn.Parameter(torch.zeros(3)))
        return adapted

    monkeypatch.setattr(LoRA, "apply", with_idle_part)
    monkeypatch.setattr(LoRA, "packable", False)
    refused(LoRA(), r"trainable but never changed: \['idle'\]")


def test_a_method_that_only_says_that_it_is_stackable_is_found(monkeypatch):
    monkeypatch.setattr(PromptTuning, "stackable", True)
    refused(PromptTuning(), "must train plain LoRA alone")


def test_a_base_that_is_not_given_back_is_found(monkeypatch):
    monkeypatch.setattr(LoRA, "release", lambda self, adapted: None)
    refused(LoRA(), "release must leave the base as it was")


def test_merging_that_leaves_layers_behind_is_found(monkeypatch):
    monkeypatch.setattr(LoRA, "merge", lambda self, adapted: adapted)
    refused(LoRA(), "merging must give a plain model")


def test_merging_that_changes_outputs_is_found(monkeypatch):
    monkeypatch.setattr(LoRA, "merge", lambda self, adapted: adapted.unload())
    refused(LoRA(), "merging must change nothing")


def test_a_method_that_only_says_that_it_works_in_4_bits_is_found(monkeypatch):
    monkeypatch.setattr(LoHa, "quantised_base", True)
    with pytest.raises(RuntimeError, match="shape"):
        check_method(LoHa(), tiny_model("llama"))


def test_a_frozen_part_that_no_seed_decides_is_found(monkeypatch):
    config, keys = VeRA.config, itertools.count()

    def unseeded(self, head):
        made = config(self, head)
        made.projection_prng_key = next(keys)
        return made

    monkeypatch.setattr(VeRA, "config", unseeded)
    refused(VeRA(), "differs after training was taken up")
