"""P-tuning: virtual tokens before the prompt, produced by a small network."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from textune.methods.base import PeftMethod, check_least
from textune.results.record import Setting


@dataclass(frozen=True, kw_only=True)
class PTuning(PeftMethod):
    """P-tuning (Liu et al., 2021, GPT Understands, Too).

    A network makes the embeddings of ``tokens`` virtual tokens from a table (section 3.2); network
    and table train. All stand before the prompt. Only what the network makes is saved, so a loaded
    prompt cannot be trained on.
    """

    paper: ClassVar[str] = "arXiv:2103.10385"
    lr: ClassVar[float] = 1e-2
    trained_share: ClassVar[float | None] = 0.00639
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {"tokens": (8, 20, 50)}
    quantised_base: ClassVar[bool] = True
    starts_at_base: ClassVar[bool] = False
    served_by: ClassVar[str] = "transformers"

    tokens: int = 20
    """Number of virtual tokens."""
    encoder: Literal["mlp", "lstm"] = "mlp"
    """The network: three linear layers, or two bidirectional LSTM layers and two linear ones."""
    hidden: int = 512
    """Width of the network's hidden layers."""

    def __post_init__(self) -> None:
        check_least(self, 1, "tokens", "hidden", hint="it must be 1 or more")

    def config(self, head: list[str]) -> Any:
        """``PromptEncoderConfig``."""
        from peft import PromptEncoderConfig

        return PromptEncoderConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=self.tokens,
            encoder_reparameterization_type=self.encoder.upper(),
            encoder_hidden_size=self.hidden,
        )
