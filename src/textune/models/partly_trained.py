"""A frozen model some of whose own parameters train, and that can be had back as it was."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel


class PartlyTrained(nn.Module):
    """A model with trainable parameters in the places of some of its own.

    A place is named as in ``state_dict``. What stands there at first is a copy of the model's
    parameter, or zeros where a linear layer has no bias. The model's own parameters are kept
    aside, so nothing writes into them, and one that is shared (a tied head) is no longer shared.
    """

    def __init__(self, model: PreTrainedModel, names: Iterable[str]) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        self._places = {name: _place(model, name) for name in names}
        self._originals = {n: getattr(*place) for n, place in self._places.items()}
        for name, (module, slot) in self._places.items():
            setattr(module, slot, nn.Parameter(self._start(name)))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the model gives."""
        return self.model(*args, **kwargs)

    def trained(self) -> dict[str, nn.Parameter]:
        """The trainable parameters by the names of their places."""
        return {name: getattr(*place) for name, place in self._places.items()}

    @torch.no_grad()
    def fill(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Write values into all trainable parameters.

        Raises:
            ValueError: a parameter has no value, or one of another shape; nothing is written.
        """
        trained = self.trained()
        for name, parameter in trained.items():
            if name not in tensors:
                raise ValueError(f"{name} is missing")
            if tensors[name].shape != parameter.shape:
                found, wanted = tuple(tensors[name].shape), tuple(parameter.shape)
                raise ValueError(f"{name} has the shape {found}, the model needs {wanted}")
        for name, parameter in trained.items():
            parameter.copy_(tensors[name])

    def restore(self) -> None:
        """Put the model's own parameters back into their places."""
        for name, (module, slot) in self._places.items():
            setattr(module, slot, self._originals[name])

    def keep(self) -> PreTrainedModel:
        """The model with the trained parameters for good; there is nothing to restore any more."""
        self._places.clear()
        self._originals.clear()
        return self.model

    def _start(self, name: str) -> torch.Tensor:
        original: nn.Parameter | None = self._originals[name]
        if original is not None:
            return original.detach().clone()
        linear: Any = self._places[name][0]
        return torch.zeros(linear.out_features, dtype=self.model.dtype, device=self.model.device)


def _place(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The module that holds a parameter, and the parameter's name in it.

    Raises:
        AttributeError: the model has no such place.
    """
    path, _, slot = name.rpartition(".")
    module = model.get_submodule(path)
    if slot not in module._parameters:
        raise AttributeError(f"the model has no parameter {name}")
    return module, slot
