"""Bottleneck adapters as a method of ``peft``, which has none of its own.

Importing this module is enough for ``PeftModel.from_pretrained`` to read a saved folder:

    import textune.models.bottleneck
    model = PeftModel.from_pretrained(base, folder)

``peft.utils.register_peft_method`` takes only names that its enumeration of types already has,
so the type is entered into the same tables here.
"""

from dataclasses import dataclass, field
from typing import Any, cast

import torch
from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING, PeftConfig
from peft.mapping import PEFT_TYPE_TO_PREFIX_MAPPING
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from peft.utils import PeftType
from torch import nn
from transformers.activations import ACT2FN

PEFT_TYPE = cast("PeftType", "TEXTUNE_BOTTLENECK")  # its members are strings too


@dataclass
class BottleneckConfig(PeftConfig):
    """Which blocks of a decoder get an adapter, and what it is like."""

    target_modules: list[str] = field(default_factory=lambda: ["mlp"])
    """Names of blocks that take hidden states (..., D) first and give them first."""
    modules_to_save: list[str] | None = None
    """New modules that train in full."""
    parallel: bool = False
    """Whether the adapter reads the block's input instead of its output."""
    reduction: int = 16
    """D divided by the width of the bottleneck."""
    activation: str = "relu"
    """Non-linearity of the bottleneck, by its name in transformers."""
    scale: float = 1.0
    """Factor of what the adapter adds."""

    def __post_init__(self) -> None:
        super().__post_init__()  # type: ignore[no-untyped-call]  # peft's is untyped
        self.peft_type = PEFT_TYPE


class Bottleneck(nn.Module):
    """``scale * up(activation(down(x)))``; ``up`` starts at zero."""

    def __init__(self, config: BottleneckConfig, size: int, **options: Any) -> None:
        super().__init__()
        width = max(1, size // config.reduction)
        self.down = nn.Linear(size, width, **options)
        self.up = nn.Linear(width, size, **options)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)
        self.activation = ACT2FN[config.activation]
        self.scale = config.scale
        self.parallel = config.parallel

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) to (..., D)."""
        added: torch.Tensor = self.up(self.activation(self.down(x))) * self.scale
        return added


class BottleneckLayer(nn.Module, BaseTunerLayer):
    """A block of a decoder with its adapters, by name."""

    adapter_layer_names = ("bottleneck_adapters",)

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.base_layer = block
        self.bottleneck_adapters = nn.ModuleDict()

    def add(self, name: str, adapter: Bottleneck, *, frozen: bool) -> None:
        """Take in one more adapter and make it the active one."""
        self.bottleneck_adapters[name] = adapter
        self.set_adapter([name], inference_mode=frozen)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the block gives, with what the active adapters add to its hidden states."""
        given = self.base_layer(*args, **kwargs)
        if self.disable_adapters:
            return given
        first, *others = given if isinstance(given, tuple) else (given,)
        source = args[0] if args else kwargs["hidden_states"]
        for name in self.active_adapters:
            if name in self.bottleneck_adapters:
                adapter = self.bottleneck_adapters[name]
                first = first + adapter(source if adapter.parallel else first)
        return (first, *others) if isinstance(given, tuple) else first


class BottleneckModel(BaseTuner):
    """Puts adapters around blocks and takes them out again."""

    prefix = "bottleneck_"
    tuner_layer_cls = BottleneckLayer
    target_module_mapping: dict[str, list[str]] = {}

    def _create_and_replace(
        self,
        peft_config: PeftConfig,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        *_: Any,
        **__: Any,
    ) -> None:
        assert isinstance(peft_config, BottleneckConfig)
        size = self.model.config.get_text_config().hidden_size
        options = {"dtype": self.model.dtype, "device": self.model.device}
        adapter = Bottleneck(peft_config, size, **options)
        layer = target if isinstance(target, BottleneckLayer) else BottleneckLayer(target)
        layer.add(adapter_name, adapter, frozen=peft_config.inference_mode)
        if layer is not target:
            self._replace_module(parent, target_name, layer, target)

    def _replace_module(
        self, parent: nn.Module, child_name: str, new_module: nn.Module, *_: Any
    ) -> None:
        """Without handing on ``weight``, as peft does: a block has none."""
        setattr(parent, child_name, new_module)


PEFT_TYPE_TO_CONFIG_MAPPING[PEFT_TYPE] = BottleneckConfig
PEFT_TYPE_TO_TUNER_MAPPING[PEFT_TYPE] = BottleneckModel
PEFT_TYPE_TO_PREFIX_MAPPING[PEFT_TYPE] = BottleneckModel.prefix
