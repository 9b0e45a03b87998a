"""How fast this machine is: measured on the machine itself once, remembered on disk.

Timed is what passes through small models are made of: matrix products with weights that no cache
holds, element-wise work whose results are kept for a while, unpacking of 4-bit weights. What is
not covered: the least time of a layer on a GPU, which is assumed, and several devices.
"""

import contextlib
import json
import math
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from textune.core import files
from textune.core.config import fingerprint, parse, plain
from textune.core.errors import ConfigError, StoreError
from textune.cost.rates import LAUNCH_SECONDS, UNPACKED, Rates
from textune.models.device import Precision, device_name, price_name
from textune.models.fetch import cache_folder
from textune.study.machine import cores, hardware, versions

if TYPE_CHECKING:
    import torch

REVISION = 1
"""Raised when a rate is measured in another way, so that old ones are not believed."""
LIMIT_SECONDS = 0.4
"""How long each of the three rates is measured."""
LEAST = 2
"""Repetitions on a machine that needs longer than that."""
TOKENS, WIDTH, INNER = 640, 576, 1536
"""A batch of short texts, and the two widths of a small model's largest layers."""
WEIGHTS, TURNS = 60, 20
"""So many weights are used in so many turns: no cache holds all of them."""
NUMBERS, KEPT = 1 << 20, 8
"""A tensor of element-wise work, and how many chains of them are kept until the last is done."""
TIMES = {"cpu": 1, "cuda": 16}
"""How many times larger tokens and tensors are, by device: a GPU would wait for us otherwise."""


@cache
def measured_rates(precision: Precision) -> Rates:
    """What a single worker on this machine does in a second, in a number format."""
    path = cache_folder() / "speed" / f"{_name(precision)}.json"
    rates = _recall(path)
    if rates is None:
        rates = _measure(precision)
        with contextlib.suppress(StoreError):  # a cache that cannot be written is no cache
            files.write_text(path, json.dumps(plain(rates)))
    return rates


def _name(precision: Precision) -> str:
    found = versions()
    libraries = [found.get(name) for name in ("torch", "bitsandbytes")]
    return fingerprint(REVISION, precision, hardware(), cores(), libraries)


def _recall(path: Path) -> Rates | None:
    """The rates in a file; None where there are none, or none that can be true."""
    try:
        rates = parse(Rates, json.loads(path.read_text(encoding="utf-8")), where=str(path))
    except (OSError, ValueError, ConfigError):
        return None
    found = rates.flops, rates.traffic, rates.unpacked
    return rates if all(rate > 0 and math.isfinite(rate) for rate in found) else None


def _measure(precision: Precision) -> Rates:
    """All rates, with as many threads as a single worker has."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(cores())
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Rates(
                flops=_flops(precision),
                traffic=_traffic(precision),
                unpacked=_unpacked(precision),
                launch_seconds=LAUNCH_SECONDS[price_name()],
            )
    finally:
        torch.set_num_threads(threads)


def _flops(precision: Precision) -> float:
    """Operations a second of products with weights in turns."""
    from torch.nn import functional

    tokens = _numbers(precision, TOKENS * TIMES[device_name()], WIDTH)
    turns = _turns(_numbers(precision, INNER, WIDTH))

    def products(weights: "Sequence[torch.Tensor]") -> None:
        for weight in weights:
            functional.linear(tokens, weight)

    return 2 * tokens.numel() * INNER * len(turns[0]) / _seconds(products, turns)


def _traffic(precision: Precision) -> float:
    """Bytes a second that element-wise work reads and writes.

    Results are kept as a training step keeps them. So they lie in memory that is new to the
    process, as most of a step's do; where the system gives it slowly, that is most of the time.
    """
    import torch

    numbers = _numbers(precision, NUMBERS * TIMES[device_name()])
    inputs = [numbers.clone() for _ in range(KEPT)]

    def chains(inputs: "Sequence[torch.Tensor]") -> "list[tuple[torch.Tensor, ...]]":
        kept: list[tuple[torch.Tensor, ...]] = []
        for first in inputs:
            second = first * 0.5
            third = second + first
            kept.append((second, third, third.to(torch.float32, copy=True)))
        return kept

    moved = KEPT * numbers.numel() * (6 * numbers.element_size() + 4)
    return moved / _seconds(chains, [inputs])


def _unpacked(precision: Precision) -> float:
    """Weights a second that become plain numbers again."""
    try:
        from bitsandbytes import functional
    except ImportError:  # then no cell will do it
        return UNPACKED * cores()
    weight = _numbers(precision, INNER * TIMES[device_name()], WIDTH)
    packed, state = functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
    turns = _turns(packed)

    def unpack(packed: "Sequence[torch.Tensor]") -> None:
        for each in packed:
            functional.dequantize_4bit(each, state)

    return float(weight.numel() * len(turns[0]) / _seconds(unpack, turns))


def _numbers(precision: Precision, *shape: int) -> "torch.Tensor":
    """Numbers between 0 and 1 on the device."""
    import torch

    generator = torch.Generator(device_name()).manual_seed(0)
    numbers = torch.rand(shape, generator=generator, device=device_name())
    return numbers.to(getattr(torch, precision))


def _turns(weight: "torch.Tensor") -> "list[list[torch.Tensor]]":
    """Copies of a weight, divided into turns."""
    weights = [weight.clone() for _ in range(WEIGHTS)]
    return [weights[place::TURNS] for place in range(TURNS)]


def _seconds(
    work: "Callable[[Sequence[torch.Tensor]], object]", turns: "Sequence[Sequence[torch.Tensor]]"
) -> float:
    """Of a turn, from start to when its results are gone; the first does not count.

    A quarter of the turns were faster: other work that comes and goes does not count either.
    """
    import torch

    def wait() -> None:
        if turns[0][0].is_cuda:
            torch.cuda.synchronize()

    found: list[float] = []
    for turn in cycle(turns):
        wait()
        before = perf_counter()
        work(turn)
        wait()
        found.append(perf_counter() - before)
        if len(found) > LEAST and sum(found) > LIMIT_SECONDS:
            break
    return sorted(found[1:])[(len(found) - 1) // 4]
