"""Full fine-tuning: every weight trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textune.methods.base import Method

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Full(Method):
    """Full fine-tuning: every weight trains, the yardstick of all other methods."""

    paper: ClassVar[str] = "Howard and Ruder (2018), arXiv:1801.06146"
    lr: ClassVar[float] = 5e-5
    trained_share: ClassVar[float | None] = 1
    mergeable: ClassVar[bool] = True
    changes_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "vLLM"

    def apply(self, model: Any, head: list[str]) -> nn.Module:
        """Nothing is added; everything takes a gradient."""
        adapted: nn.Module = model.requires_grad_(True)
        return adapted

    def save(self, adapted: Any, folder: Path) -> None:
        """A plain model folder."""
        adapted.save_pretrained(folder)

    def load(self, model: Any, folder: Path) -> nn.Module:
        """The saved weights in the place of the base's."""
        from safetensors import SafetensorError
        from safetensors.torch import load_model

        from textune.core.errors import StoreError

        try:
            for shard in sorted(folder.glob("*.safetensors")):
                load_model(model, shard, strict=False)
        except (OSError, RuntimeError, SafetensorError) as error:
            reason = str(error).strip().splitlines()[0]
            raise StoreError(
                f"damaged weights in {folder}: {reason}",
                hint="fit it again, or take it from a copy",
            ) from None
        adapted: nn.Module = model
        return adapted

    def merge(self, adapted: nn.Module) -> nn.Module:
        """The model itself."""
        return adapted
