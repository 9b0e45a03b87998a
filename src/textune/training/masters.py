"""fp32 master copies of what trains, so that small updates are not lost in bf16."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn


class Masters:
    """AdamW on fp32 copies of parameters that the model holds in its own format.

    A fp32 parameter is its own master. Gradients are read from the model, updates written back.
    Gradients and moments are made once, before any step, and kept: scattered between the
    activations of a step, they would break up the heap.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        weight_decay: float,
        factors: Sequence[float] | None = None,
    ) -> None:
        """``factors`` multiply the learning rate, one for each parameter; None: all are 1."""
        self.parameters = list(parameters)
        self.masters = [
            p if p.dtype == torch.float32 else nn.Parameter(p.detach().float())
            for p in self.parameters
        ]
        factors = factors or [1.0] * len(self.masters)
        groups = [
            {
                "params": [m for m, f in zip(self.masters, factors, strict=True) if f == factor],
                "factor": factor,
            }
            for factor in sorted(set(factors))
        ]
        on_cpu = all(m.device.type == "cpu" for m in self.masters)  # elsewhere torch chooses well
        self.optimizer = torch.optim.AdamW(
            groups, lr=0.0, weight_decay=weight_decay, fused=on_cpu or None
        )
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            parameter.grad = torch.zeros_like(parameter)
            if parameter is not master:
                master.grad = torch.zeros_like(master)
            moments = {name: torch.zeros_like(master) for name in ("exp_avg", "exp_avg_sq")}
            self.optimizer.state[master] = {"step": torch.tensor(0.0), **moments}

    def step(self, lr: float) -> None:
        """One update with the gradients that the model's parameters hold now."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["factor"]
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            if parameter is not master:
                _gradient(master).copy_(_gradient(parameter))
        self.optimizer.step()
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            if parameter is not master:
                parameter.data.copy_(master.data)

    def clear(self) -> None:
        """Set all gradients to zero."""
        for parameter in self.parameters:
            _gradient(parameter).zero_()

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


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None, "gradients are made at the start and kept"
    return parameter.grad
