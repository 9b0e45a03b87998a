"""The packed path writes what the plain one writes, on every architecture and method."""

from dataclasses import dataclass, field, fields

import pytest
import torch

from textune.engine import decoding, plain
from textune.engine.by_cells import Rule
from textune.engine.causal import CausalEngine
from textune.engine.decoding import Free, Segments
from textune.engine.layout import PrefixCache
from textune.methods.base import REGISTRY
from textune.testing import ARCHITECTURES, moved, tiny_items, tiny_model

END = 2
METHODS = [name for name in REGISTRY.names() if REGISTRY.get(name).packable]


@dataclass
class Choices:
    """Allows so many tokens at each step, others at the next; never the same token twice."""

    width: int
    taken: list[int] = field(default_factory=list)
    most: int = 100

    def allowed(self):
        draw = torch.Generator().manual_seed(len(self.taken))
        order = torch.randperm(64, generator=draw).tolist()
        return torch.tensor([t for t in order if t not in self.taken][: self.width])

    def take(self, token):
        self.taken.append(token)
        return len(self.taken) < self.most


def prompts_of(size=6, **options):
    return [item.prompt for item in tiny_items(size=size, **options)]


def agree(model, adapted, engine, prompts, limits, *, width=40, end=END):
    adapted.eval()
    guides = [Choices(width) for _ in prompts]
    found = engine.decode(prompts, guides, end=end, limits=limits)
    for prompt, limit, answer in zip(prompts, limits, found, strict=True):
        expected = plain.decode(adapted, prompt, Choices(width), end=end, limit=limit)
        assert answer == expected
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("method_name", METHODS)
def test_every_method_writes_the_same_as_by_the_plain_path(method_name, architecture):
    kind = REGISTRY.get(method_name)
    method = kind(tokens=4) if "tokens" in {f.name for f in fields(kind)} else kind()
    model = tiny_model(architecture, sliding_window=9)
    torch.manual_seed(0)
    adapted = moved(method.apply(model, []))
    agree(model, adapted, method.engine(model, adapted), prompts_of(), [3, 8, 1, 12, 5, 9])


def test_a_soft_cap_on_attention_agrees():
    model = tiny_model("gemma2", attn_logit_softcapping=0.5, final_logit_softcapping=2.0)
    model.set_attn_implementation("eager")
    agree(model, model, CausalEngine(model), prompts_of(), [6] * 6)


@pytest.mark.parametrize("is_compiled", [True, False], ids=["compiled", "torch"])
@pytest.mark.parametrize("shared", [0, 1, 20])
def test_any_length_of_shared_prefix_agrees(shared, is_compiled, monkeypatch):
    if not is_compiled:
        monkeypatch.setattr(decoding, "kernels_for", lambda *tensors: None)
    model = tiny_model("llama")
    agree(model, model, CausalEngine(model), prompts_of(shared=shared), [7] * 6)


def test_answers_longer_than_the_first_room_agree():
    model = tiny_model("llama")
    engine = CausalEngine(model)
    found = agree(model, model, engine, prompts_of(size=3), [40, 45, 50], width=64, end=-1)
    assert max(map(len, found)) > 32, "no answer was longer than the room"


def test_answers_do_not_depend_on_how_prompts_are_grouped():
    model = tiny_model("llama")
    prompts, limits = prompts_of(), [9] * 6

    def written(engine, prompts):
        return engine.decode(prompts, [Choices(40) for _ in prompts], end=END, limits=limits)

    together = written(CausalEngine(model), prompts)
    assert written(CausalEngine(model, tokens_in_row=20), prompts) == together
    engine = CausalEngine(model)
    assert [written(engine, [prompt])[0] for prompt in prompts] == together


def test_an_answer_ends_with_the_end_token_and_when_its_guide_says_so():
    @dataclass
    class Only(Choices):
        def allowed(self):
            return torch.tensor([END] if len(self.taken) == 2 else [7])

    model = tiny_model("llama")
    guides = [Only(1), Only(1, most=1)]
    found = CausalEngine(model).decode(prompts_of(size=2), guides, end=END, limits=[9, 9])
    assert found == [(7, 7), (7,)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_free_text_is_what_the_plain_path_writes(architecture):
    model = tiny_model(architecture, sliding_window=9)
    prompts, limits = prompts_of(), [3, 8, 1, 12, 5, 9]
    found = CausalEngine(model).decode(prompts, [Free()] * 6, end=END, limits=limits)
    for prompt, limit, answer in zip(prompts, limits, found, strict=True):
        assert answer == plain.decode(model, prompt, Free(), end=END, limit=limit)
        likeliest = model(torch.tensor([prompt])).logits[0, -1].argmax()
        assert answer[:1] == (int(likeliest),) or likeliest == END


def test_free_text_ends_behind_any_token_that_ends_a_turn():
    model = tiny_model("llama")
    (prompt,) = prompts_of(size=1)
    (whole,) = CausalEngine(model).decode([prompt], [Free()], end=-1, limits=[6])
    ends = frozenset({whole[2]})
    (found,) = CausalEngine(model).decode([prompt], [Free(ends)], end=-1, limits=[6])
    assert found == whole[: whole.index(whole[2]) + 1]


def test_no_prompts_have_no_answers():
    assert CausalEngine(tiny_model("llama")).decode([], [], end=END, limits=[]) == []


CLOSE = {
    torch.bfloat16: {"rtol": 0.02, "atol": 0.02},
    torch.float32: {"rtol": 1e-5, "atol": 1e-6},
}


@pytest.mark.parametrize("prefix", [0, 70])
@pytest.mark.parametrize("dtype", CLOSE, ids=["bf16", "fp32"])
def test_a_new_tokens_attention_is_that_of_torch(dtype, prefix):
    maker = torch.Generator().manual_seed(0)
    shapes = [(3, 2, 9, 16)] * 2 + [(2, prefix, 16)] * 2 + [(3, 2, 3, 16)]
    keys, values, *known, asked = (torch.randn(s, generator=maker).to(dtype) for s in shapes)

    def segments(dtype):
        """Of three lengths, behind a prefix."""
        before = {0: tuple(part.to(dtype) for part in known)} if prefix else {}
        own = {0: (keys.to(dtype), values.to(dtype))}
        return Segments(PrefixCache(before), torch.tensor([8, 1, 4]), own)

    ours = decoding._attended(asked, segments(dtype), 0, 0.25)
    exact, rule = asked.double(), Rule(0.25, None, 0.0)
    theirs = decoding._attended_by_torch(exact, segments(torch.double), 0, rule, None)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours.double(), theirs, **CLOSE[dtype])
