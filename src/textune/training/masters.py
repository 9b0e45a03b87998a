"""fp32 master copies of what trains, so that small updates are not lost in bf16."""

from collections.abc import Iterable

import torch
from torch import nn


class Masters:
    """AdamW on fp32 copies of parameters that the model holds in its own format.

    A fp32 parameter is its own master. Gradients are read from the model, updates written back.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], *, weight_decay: float) -> None:
        self.parameters = list(parameters)
        self.masters = [
            p if p.dtype == torch.float32 else nn.Parameter(p.detach().float())
            for p in self.parameters
        ]
        self.optimizer = torch.optim.AdamW(self.masters, lr=0.0, weight_decay=weight_decay)

    def step(self, lr: float) -> None:
        """One update with the gradients that the model's parameters hold now; clears them."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            if parameter is not master and parameter.grad is not None:
                master.grad = parameter.grad.float()
        self.optimizer.step()
        self.optimizer.zero_grad()
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            if parameter is not master:
                parameter.data.copy_(master.data)
                parameter.grad = None

    def state(self) -> dict[str, torch.Tensor]:
        """Masters and Adam moments as named tensors."""
        tensors = {}
        for index, master in enumerate(self.masters):
            tensors[f"{index}.master"] = master.data
            for name, value in self.optimizer.state[master].items():
                tensors[f"{index}.{name}"] = value
        return tensors

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take up the state that ``state`` gave.

        Raises:
            KeyError, RuntimeError: it belongs to other parameters.
        """
        for index, (parameter, master) in enumerate(
            zip(self.parameters, self.masters, strict=True)
        ):
            master.data.copy_(tensors[f"{index}.master"])
            parameter.data.copy_(master.data)
            names = ("step", "exp_avg", "exp_avg_sq")
            state = {n: tensors[f"{index}.{n}"] for n in names if f"{index}.{n}" in tensors}
            if state:
                moments = {n: t.to(master.device) for n, t in state.items() if n != "step"}
                self.optimizer.state[master] = {**state, **moments}
