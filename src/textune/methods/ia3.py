"""(IA)3: learned scales on keys, values and the feed-forward layer."""

from dataclasses import dataclass
from typing import Any, ClassVar

from textune.methods.base import PeftMethod


@dataclass(frozen=True, kw_only=True)
class IA3(PeftMethod):
    """Infused adapter by inhibiting and amplifying inner activations (Liu et al., 2022).

    Keys, values and the inputs of the feed-forward output layer are multiplied element by element
    by learned vectors (section 3.3) that start at one, so training starts at the base model.
    """

    paper: ClassVar[str] = "arXiv:2205.05638"
    lr: ClassVar[float] = 1e-2
    trained_share: ClassVar[float | None] = 0.000428
    mergeable: ClassVar[bool] = True
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "merged"

    targets: tuple[str, ...] = ("k_proj", "v_proj", "down_proj")
    """Layers whose outputs (or inputs, see below) are scaled."""
    input_targets: tuple[str, ...] = ("down_proj",)
    """Those of them whose inputs are scaled."""

    def config(self, head: list[str]) -> Any:
        """``IA3Config``."""
        from peft import IA3Config

        return IA3Config(
            task_type="CAUSAL_LM",
            target_modules=list(self.targets),
            feedforward_modules=list(self.input_targets),
            modules_to_save=head or None,
        )
