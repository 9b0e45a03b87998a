"""Tiny random models and items: what every other test stands on; nothing is downloaded."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from textune.engine.packing import Item
from textune.models.load import frozen, in_4_bits

ARCHITECTURES = ("llama", "mistral", "qwen2", "qwen3", "gemma3_text")


def tiny_model(architecture: str, *, seed: int = 0, **changes: Any) -> PreTrainedModel:
    """A random causal model of that architecture in fp32: 2 layers, width 32, grouped heads."""
    settings = {
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 256,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "initializer_range": 0.2,
    }
    config = AutoConfig.for_model(architecture, **{**settings, **changes})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return frozen(model)


def tiny_quantised_model(architecture: str) -> PreTrainedModel:
    """The same with its linear layers in 4 bits; wider, as 4-bit weights come in blocks of 64."""
    sizes = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 16}
    return in_4_bits(tiny_model(architecture, **sizes))


def tiny_model_folder(folder: Path, texts: Iterable[str], *, architecture: str = "llama") -> Path:
    """A folder with a tiny random model and a word tokenizer over these texts, with chat turns.

    Any approach takes it as its ``model``; nothing is downloaded.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    specials = ["<pad>", "<start>", "<end>", "<unk>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<start>",
        eos_token="<end>",
        unk_token="<unk>",
        chat_template=(
            "{% for m in messages %}<start>{{ m['role'] }} {{ m['content'] }}<end>{% endfor %}"
            "{% if add_generation_prompt %}<start>assistant {% endif %}"
        ),
    )
    sizes = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 32}  # 4-bit blocks are 64
    model = tiny_model(architecture, vocab_size=len(fast), max_position_embeddings=1024, **sizes)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def tiny_encoder_folder(folder: Path, texts: Iterable[str]) -> Path:
    """A folder with a tiny random BERT and a word-piece tokenizer over these texts."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    pieces = BertWordPieceTokenizer()
    pieces.train_from_iterator(texts, vocab_size=300, show_progress=False)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces._tokenizer,
        model_max_length=128,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=128,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def moved(adapted: nn.Module) -> nn.Module:
    """The same with what trains away from its start, where half of LoRA is zero, in place.

    torch's seed decides by how much.
    """
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn_like(parameter)
    return adapted


def tiny_items(*, seed: int = 0, size: int = 5, shared: int = 7) -> list[Item]:
    """Random items of mixed lengths that share a prefix; answers of one to three tokens."""
    draw = torch.Generator().manual_seed(seed)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(3, 64, (count,), generator=draw).tolist())

    prefix = tokens(shared)
    return [Item(prefix + tokens(3 + 2 * i), tokens(1 + i % 3)) for i in range(size)]
