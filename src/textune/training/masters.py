"""fp32 master copies of what trains, so that small updates are not lost in bf16."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from textune.models.device import device_name
from textune.models.kernels import Kernels, compiled

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Of AdamW."""


class Masters:
    """AdamW on fp32 copies of parameters that the model holds in its own format.

    A fp32 parameter is its own master. Gradients are read from the model, updates written back:
    in one pass where that is compiled (``models.kernels``), else by torch's optimiser. Gradients
    and moments are made once, before any step, and kept: scattered between the activations of a
    step, they would break up the heap.
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
        self.updates = [update_of(p) for p in self.parameters]
        self.factors = factors = factors or [1.0] * len(self.masters)
        groups = [
            {
                "params": [m for m, f in zip(self.masters, factors, strict=True) if f == factor],
                "factor": factor,
            }
            for factor in sorted(set(factors))
        ]
        fused = all(m.device.type in ("cpu", "cuda") for m in self.masters)
        self.optimizer = torch.optim.AdamW(
            groups,
            lr=0.0,
            betas=BETAS,
            eps=EPSILON,
            weight_decay=weight_decay,
            fused=fused,
        )
        each = zip(self.parameters, self.masters, self.updates, strict=True)
        for parameter, master, kernels in each:
            parameter.grad = torch.zeros_like(parameter)
            if parameter is not master and kernels is None:
                master.grad = torch.zeros_like(master)
            moments = {name: torch.zeros_like(master) for name in ("exp_avg", "exp_avg_sq")}
            steps = torch.zeros((), device=master.device)
            self.optimizer.state[master] = {"step": steps, **moments}

    def step(self, lr: float, *, clip: float = 1.0) -> None:
        """One update with the gradients that the model's parameters hold now, times ``clip``.

        Those of fp32 parameters are multiplied in place, for whoever reads them afterwards.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["factor"]
        each = list(zip(self.parameters, self.masters, self.updates, self.factors, strict=True))
        copied = [(p, m) for p, m, kernels, _ in each if p is not m and kernels is None]
        _copy([(_gradient(m), _gradient(p)) for p, m in copied])
        by_torch = [_gradient(m) for _, m, kernels, _ in each if kernels is None]
        if by_torch:
            torch._foreach_mul_(by_torch, clip)
        for kernels in {kernels for kernels in self.updates if kernels is not None}:
            of_these = [(p, m, lr * factor) for p, m, has, factor in each if has is kernels]
            self._update(kernels, of_these, clip)
        self.optimizer.step()  # of masters that have a gradient of their own
        _copy([(p.data, m.data) for p, m in copied])

    def _update(
        self,
        kernels: Kernels,
        each: Sequence[tuple[nn.Parameter, nn.Parameter, float]],
        clip: float,
    ) -> None:
        """The same for parameters with their masters and learning rates, in one call."""
        states = [self.optimizer.state[master] for _, master, _ in each]
        torch._foreach_add_([state["step"] for state in states], 1)
        decay, step = self.optimizer.defaults["weight_decay"], int(states[0]["step"])
        first, second = (1.0 - beta**step for beta in BETAS)
        table, rates = [], []
        for (parameter, master, lr), state in zip(each, states, strict=True):
            moments = state["exp_avg"], state["exp_avg_sq"]
            arrays = _gradient(parameter), master, *moments, parameter
            assert all(array.is_contiguous() for array in arrays), "kernels read whole arrays"
            table.append((*(array.data_ptr() for array in arrays), parameter.numel()))
            rates.append((1.0 - lr * decay, lr / first))
        given = torch.tensor(table), torch.tensor(rates), len(table)
        kernels.run("adamw", *given, clip, *BETAS, second**0.5, EPSILON)

    def clear(self) -> None:
        """Set all gradients to zero."""
        torch._foreach_zero_([_gradient(parameter) for parameter in self.parameters])

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
                self.optimizer.state[master] = {n: t.to(master.device) for n, t in state.items()}


def _copy(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Give the first of each pair the values of the second; on a GPU in few kernels."""
    if pairs:
        firsts, seconds = (list(each) for each in zip(*pairs, strict=True))
        torch._foreach_copy_(firsts, seconds)


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None, "gradients are made at the start and kept"
    return parameter.grad


def update_of(parameter: nn.Parameter) -> Kernels | None:
    """What updates a parameter in one pass on this machine; None where torch must."""
    if device_name() != "cpu" or parameter.dtype == torch.float32 or not parameter.is_contiguous():
        return None
    return compiled(parameter.dtype)
