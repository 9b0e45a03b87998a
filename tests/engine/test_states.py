import pytest
import torch

from textune.core.errors import ImpossibleError
from textune.engine.states import sized
from textune.methods.p_tuning_v2 import PTuningV2
from textune.methods.prefix import Prefix
from textune.testing import check_packed_equals_plain, tiny_items, tiny_model


@pytest.mark.parametrize("method", [PTuningV2(tokens=4), Prefix(tokens=4, hidden=16)])
@pytest.mark.parametrize("architecture", ["qwen3", "gemma3_text"])
def test_heads_wider_than_the_models_width_over_heads_agree(method, architecture):
    model = tiny_model(architecture, head_dim=16)
    adapted = method.apply(model, [])
    check_packed_equals_plain(method.engine(model, adapted), adapted, tiny_items())


def test_states_start_as_those_of_tokens_of_the_vocabulary():
    model = tiny_model("llama")
    method = PTuningV2(tokens=4)
    cache = method.prefix_states(method.apply(model, []))
    assert cache.length == 4
    every_token = torch.arange(64).unsqueeze(1)  # values of the first layer know no context
    known = model(input_ids=every_token, use_cache=True).past_key_values.layers[0].values
    for place in range(4):
        distance = (known[:, :, 0] - cache.layers[0][1][:, place]).abs().amax((1, 2))
        assert distance.min() < 1e-5


def test_states_that_fall_out_of_the_window_are_refused():
    model = tiny_model("mistral", sliding_window=4)
    with pytest.raises(ImpossibleError, match="window of 4 tokens"):
        sized(PTuningV2(tokens=4).config([]), model)
