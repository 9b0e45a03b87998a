"""A language model with random weights and a real tokenizer, in a folder: for speed alone.

No weights are fetched for it: they are drawn (normal, deviation 0.02) in bf16 on the device
that does the work; the tokenizer and its chat template are those of SmolLM2, so that texts become
as many tokens as they would. What a training on such a model learns means nothing.
"""

import argparse
from pathlib import Path

from peers import MODEL

SHAPES = {
    # Jiang et al., 2023, arXiv:2310.06825, table 1
    "7b": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
    # Llama 3.2 1B, its model card and configuration
    "1b": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
}
"""Of the family Llama; the vocabulary is the tokenizer's."""


def write_model(folder: Path, shape: str, num_layers: int | None) -> int:
    """Write weights, configuration and tokenizer; gives the number of weights."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

    from textune.models.catalog import find_model
    from textune.models.device import device_name
    from textune.models.fetch import local_folder

    tokenizer = AutoTokenizer.from_pretrained(local_folder(find_model(MODEL)))
    sizes = SHAPES[shape] | ({} if num_layers is None else {"num_hidden_layers": num_layers})
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=8192,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **sizes,
    )
    torch.manual_seed(0)
    with torch.device(device_name()):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return int(model.num_parameters())


def main() -> None:
    """Write one, unless it is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to; its name is that of its figures")
    parser.add_argument("--shape", choices=sorted(SHAPES), default="7b")
    parser.add_argument("--layers", type=int, help="fewer than the shape has")
    asked = parser.parse_args()
    if (asked.folder / "config.json").is_file():
        print(f"{asked.folder} is there")
        return
    number = write_model(asked.folder, asked.shape, asked.layers)
    print(f"wrote {number / 1e9:.2f}B random weights to {asked.folder}")


if __name__ == "__main__":
    main()
