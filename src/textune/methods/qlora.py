"""QLoRA: LoRA on a base that is held in 4 bits."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from textune.core.errors import ConfigError
from textune.methods.lora import LoRA


@dataclass(frozen=True, kw_only=True)
class QLoRA(LoRA):
    """LoRA over a base in 4-bit NormalFloat with double quantisation (Dettmers et al., 2023).

    The base weights are stored as NF4 (section 3) and unpacked for each product; only the
    low-rank update trains, on every linear layer (section 4). Memory falls, time rises.
    """

    revision: ClassVar[int] = 2
    paper: ClassVar[str] = "arXiv:2305.14314"
    quantisation: ClassVar[Literal["none", "nf4"]] = "nf4"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.init == "pissa":
            raise ConfigError(
                "init pissa cannot start on a base in 4 bits",
                hint="use init standard, or lora instead of qlora",
            )
