"""transformers' Trainer and TRL's SFTTrainer, set up to do what textune does in one epoch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

MODEL = "smollm2-135m-instruct"
"""What is measured where nothing else is asked for."""
Quantisation = Literal["none", "nf4"]
LR = 5e-4
WARMUP_STEPS = 2
"""Peak rate and linear warm-up of LoRA and its rivals, on both sides."""


def trainer_settings(
    kind: Any,
    folder: str,
    *,
    batch_size: int,
    lr: float,
    warmup: float,
    epochs: int = 1,
    seed: int = 0,
    **more: Any,
) -> Any:
    """Settings of a ``kind`` (TrainingArguments or what builds on it), as textune trains.

    ``warmup`` is a number of steps, or a share of them below 1; ``more`` are the kind's own.
    """
    from textune.models.device import has_cuda, precision_of

    more.setdefault("bf16", precision_of("auto") == "bfloat16")
    return kind(
        output_dir=folder,
        num_train_epochs=epochs,
        per_device_train_batch_size=batch_size,
        use_cpu=not has_cuda(),
        learning_rate=lr,
        lr_scheduler_type="cosine",
        warmup_steps=warmup,
        weight_decay=0.0,
        max_grad_norm=1.0,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        logging_steps=0.25,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=seed,
        **more,
    )


def named(model: str) -> str:
    """What names of figures begin with: nothing for the usual model, else its own name."""
    return "" if model == MODEL else f"{Path(model).name}-"


def losses_of(trainer: Any) -> list[float]:
    """Mean losses of each quarter of the steps."""
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def causal_peer(
    name: str, precision: Any = "auto", *, quantisation: Quantisation = "none"
) -> tuple[Any, Any]:
    """Model and tokenizer as transformers loads them; ``auto`` is what is multiplied fastest."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from textune.models.catalog import find_model
    from textune.models.device import device_name, precision_of
    from textune.models.fetch import local_folder
    from textune.models.load import nf4_config

    folder, dtype = local_folder(find_model(name)), getattr(torch, precision_of(precision))
    packed: dict[str, Any] = {}
    if quantisation == "nf4":
        packed = {"quantization_config": nf4_config(dtype), "device_map": device_name()}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **packed)
    return model, AutoTokenizer.from_pretrained(folder)


def lora_peer() -> Any:
    """LoRA as textune's default has it."""
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM", r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear"
    )


def sft_trainer(
    model: Any,
    tokenizer: Any,
    items: Sequence[Any],
    adapter: Any,
    folder: str,
    *,
    batch_size: int,
    max_length: int,
    passes: int = 1,
    **settings: Any,
) -> Any:
    """TRL's trainer on token lists, with the loss on the answer alone.

    A batch is read in so many passes, where all of it at once needs more memory than there is;
    ``settings`` are those of ``trainer_settings``.
    """
    import datasets
    from transformers import PrinterCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    datasets.disable_progress_bars()
    rows = [
        {
            "input_ids": [*item.prompt, *item.answer],
            "completion_mask": [0] * len(item.prompt) + [1] * len(item.answer),
        }
        for item in items
    ]
    own = {"max_length": max_length, "completion_only_loss": True, "packing": False, "lr": LR}
    whole = trainer_settings(
        SFTConfig,
        folder,
        batch_size=batch_size // passes,
        gradient_accumulation_steps=passes,
        warmup=WARMUP_STEPS,
        gradient_checkpointing=False,
        **(own | settings),
    )
    trainer = SFTTrainer(
        model=model,
        args=whole,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=adapter,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
