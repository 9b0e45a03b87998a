"""TrainingSpec: what a user may say about training; how many steps that makes."""

import math
from dataclasses import dataclass
from typing import Literal

from textune.core.errors import ConfigError
from textune.core.registry import Spec

MAX_LR = 10.0
"""No learning rate is higher."""


@dataclass(frozen=True, kw_only=True)
class TrainingSpec(Spec):
    """Settings of the training loop."""

    objective: Literal["labels", "answer"] = "labels"
    """``labels``: cross-entropy over the task's labels, and a fiftieth of the answer's likelihood;
    ``answer``: likelihood of the answer's tokens alone, as in instruction tuning."""
    epochs: int = 3
    """Passes over the training part."""
    min_steps: int = 0
    """A small training part is passed so much more often that so many optimiser steps are made."""
    batch_size: int = 16
    """Examples in one optimiser step."""
    lr: float | Literal["auto"] = "auto"
    """Peak learning rate; ``auto`` is the method's own."""
    warmup_steps: int | Literal["auto"] = "auto"
    """Steps of linear warm-up; ``auto`` is a tenth of all, at most 100."""
    weight_decay: float = 0.0
    """AdamW's decoupled weight decay."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "max_grad_norm"):
            if getattr(self, name) <= 0:
                raise ConfigError(
                    f"{name} cannot be {getattr(self, name)}", hint="it must be above 0"
                )
        if self.min_steps < 0:
            raise ConfigError(f"min_steps cannot be {self.min_steps}", hint="it must be 0 or more")
        if self.lr != "auto" and not 0 < self.lr <= MAX_LR:
            hint = f"it must be above 0 and at most {MAX_LR:g}, for example 5e-4, or auto"
            raise ConfigError(f"lr cannot be {self.lr}", hint=hint)

    def rate(self, default: float) -> float:
        """The peak learning rate, ``default`` where it is ``auto``."""
        return default if self.lr == "auto" else self.lr

    def steps_in_epoch(self, num_examples: int) -> int:
        """Optimiser steps in one pass; the last batch may be smaller."""
        return math.ceil(num_examples / self.batch_size)

    def passes(self, num_examples: int) -> int:
        """``epochs``, or as many as ``min_steps`` take."""
        return max(self.epochs, math.ceil(self.min_steps / self.steps_in_epoch(num_examples)))

    def total_steps(self, num_examples: int) -> int:
        """Optimiser steps in all."""
        return self.passes(num_examples) * self.steps_in_epoch(num_examples)

    def warmup(self, total: int) -> int:
        """Warm-up steps out of all steps."""
        a_tenth = min(100, math.ceil(total / 10))
        return a_tenth if self.warmup_steps == "auto" else self.warmup_steps


def rate_at(step: int, *, total: int, warmup: int) -> float:
    """Share of the peak learning rate at a step (from 0): linear warm-up, then half a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
