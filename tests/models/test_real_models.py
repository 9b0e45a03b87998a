"""The two models that come out of wheels, for real: converted, loaded and used."""

import numpy as np
import pytest
import torch

from textune.engine import plain
from textune.engine.causal import CausalEngine
from textune.engine.embedding import embed
from textune.engine.readout import make_readout
from textune.models.catalog import find_model
from textune.models.load import load_causal, load_encoder
from textune.prompts.tokens import make_prompter
from textune.tasks.base import load_task
from textune.tasks.dataset import load_dataset


@pytest.fixture(scope="module")
def language_model():
    return load_causal(find_model("smollm2-135m-instruct"), "float32", "none")


def test_the_language_model_is_the_one_of_the_catalog(language_model):
    assert language_model.num_params == 134_515_008
    assert language_model.context == 8192
    assert "<|im_start|>" in language_model.tokenizer.chat_template


def test_the_language_model_talks(language_model):
    tokenizer = language_model.tokenizer
    turns = [{"role": "user", "content": "What is the capital of France?"}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    out = language_model.model.generate(**ids, max_new_tokens=16, do_sample=False)
    assert "Paris" in tokenizer.decode(out[0])


@pytest.mark.parametrize("name", ["citation-sample", "questions-sample"])
def test_packed_label_scores_equal_those_of_one_prompt_at_a_time(language_model, name):
    task = load_task(name)
    examples = load_dataset(task).train.rows[:4]
    prompter = make_prompter(task, examples[:1], language_model.tokenizer, context=8192)
    readout = make_readout(CausalEngine(language_model.model), prompter)
    prompts = prompter.prompts(examples)
    packed = readout.engine.label_scores(prompts, readout.tree)
    one_by_one = plain.label_scores(language_model.model, prompts, readout.tree.paths)
    torch.testing.assert_close(packed, one_by_one, atol=2e-4, rtol=1e-4)


def test_the_encoder_puts_like_texts_near_each_other():
    loaded = load_encoder(find_model("all-minilm-l6-v2", form="encoder"))
    texts = ["How do I boil an egg?", "What is the way to cook eggs in water?", "Who won in 1966?"]
    vectors = embed(loaded, texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > 0.6 > 0.3 > far
    np.testing.assert_allclose(embed(loaded, texts[::-1])[::-1], vectors, atol=1e-5)
