from types import SimpleNamespace

import pytest
import torch
from transformers import AutoConfig, AutoModel

from textune.engine.encoder_rows import FROM_0, FROM_PADDING, EncoderRows

PADDING = 1
PADDED = ("mpnet", "albert")
LENGTHS = [9, 3, 17, 5, 40, 3]
"""Of texts that are not sorted, two of them alike; more than one block of attention."""


def encoder_of(kind):
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = AutoConfig.for_model(
        kind,
        **sizes,
        vocab_size=60,
        intermediate_size=48,
        max_position_embeddings=64,
        pad_token_id=PADDING,
        initializer_range=0.2,
        **({"dim": 32, "n_layers": 2, "n_heads": 4} if kind == "distilbert" else {}),
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModel.from_config(config, dtype=torch.float32).eval()


def tokenizer_of(*, has_types):
    names = ["input_ids", "attention_mask"] + ["token_type_ids"] * has_types
    return SimpleNamespace(pad_token_id=PADDING, model_input_names=names)


def texts_of(lengths, *, types):
    draw = torch.Generator().manual_seed(0)
    ids = [tuple(torch.randint(3, 60, (n,), generator=draw).tolist()) for n in lengths]
    return [
        (text, tuple(int(types and k > len(text) // 2) for k in range(len(text)))) for text in ids
    ]


def alone(encoder, text, *, has_types):
    ids, types = (torch.tensor([part]) for part in text)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if has_types:
        inputs["token_type_ids"] = types
    return encoder(**inputs).last_hidden_state[0]


def gradients(encoder, states_TD):
    encoder.zero_grad()
    states_TD.square().sum().backward()
    return {name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("kind", sorted(FROM_0 | FROM_PADDING) + list(PADDED))
def test_every_text_has_the_states_and_gradients_that_it_has_alone(kind):
    has_types = kind in ("bert", "electra", "albert")
    plain, encoder = encoder_of(kind), encoder_of(kind)
    texts = texts_of(LENGTHS, types=has_types)
    rows = EncoderRows(encoder, tokenizer_of(has_types=has_types))
    assert rows.is_packed == (kind not in PADDED)
    expected_TD = torch.cat([alone(plain, text, has_types=has_types) for text in texts])
    attention = encoder.config._attn_implementation
    states_TD = rows.states(texts)
    assert encoder.config._attn_implementation == attention
    torch.testing.assert_close(states_TD, expected_TD, rtol=1e-4, atol=1e-5)
    found, wanted = gradients(encoder, states_TD), gradients(plain, expected_TD)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-4, msg=name)


@pytest.mark.parametrize("kind", ["bert", "mpnet"])
def test_dropout_of_training_falls_on_states_and_follows_the_seed(kind):
    encoder = encoder_of(kind).train()
    rows = EncoderRows(encoder, tokenizer_of(has_types=False))
    texts = texts_of(LENGTHS, types=False)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(rows.states(texts).detach())
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2])
    assert not torch.allclose(found[0], rows_without_dropout(encoder, texts))


def rows_without_dropout(encoder, texts):
    return EncoderRows(encoder.eval(), tokenizer_of(has_types=False)).states(texts).detach()


def test_attention_weights_are_dropped_in_a_packed_row_too():
    encoder = encoder_of("bert").train()
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for layer in encoder.encoder.layer:
        layer.attention.self.dropout.p = 0.5
    rows = EncoderRows(encoder, tokenizer_of(has_types=False))
    texts = texts_of(LENGTHS, types=False)
    assert not torch.allclose(rows.states(texts), rows_without_dropout(encoder, texts))


def test_cells_are_tokens_with_what_fills_rows_up():
    packed = EncoderRows(encoder_of("bert"), tokenizer_of(has_types=False))
    padded = EncoderRows(encoder_of("mpnet"), tokenizer_of(has_types=False))
    assert packed.num_cells(LENGTHS) == 96  # 77 tokens, filled up to a multiple of 32
    assert padded.num_cells([9, 9, 5]) == 27
