"""How fast this machine is: measured on the machine itself once, remembered on disk.

Timed are element-wise work in place, unpacking of 4-bit weights, and training steps of LoRA on a
few random layers, small and large ones. From the steps follow the rate of products and the least
time of a layer: those with which the forecast of such steps comes true.
What is not covered: several devices.
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
from typing import TYPE_CHECKING, Any, TypeVar

from textune.core import files
from textune.core.config import fingerprint, parse, plain
from textune.core.errors import ConfigError, StoreError
from textune.cost.rates import UNPACKED, Rates
from textune.models.device import Precision, device_name
from textune.models.fetch import cache_folder
from textune.study.machine import cores, hardware, versions

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from textune.cost.demand import Demand

T = TypeVar("T")

REVISION = 1
"""Raised when a rate is measured in another way, so that old ones are not believed."""
LIMIT_SECONDS = 0.4
"""How long each of the three rates is measured."""
LEAST = 2
"""Repetitions on a machine that needs longer than that."""
WIDTH, INNER = 576, 1536
"""The two widths of a small model's largest layers."""
LAYERS = {
    "model_type": "llama",
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": 6,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 1024,
}
"""Some layers of such a model, with few words."""
SHARED, OWN = 120, 50
"""Tokens of an instruction, and of each short text after it."""
BATCHES = 4, 16
"""Examples of a small step and of a large one."""
SHARE = 0.3
"""Least share of a large step's time by which it takes longer than a small one."""
WEIGHTS, TURNS = 60, 20
"""So many weights are used in so many turns: no cache holds all of them."""
NUMBERS = 1 << 24
"""Of a tensor of element-wise work."""
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
            traffic = _traffic()
            flops, launch_seconds = _steps(precision, traffic)
            return Rates(
                flops=flops,
                traffic=traffic,
                unpacked=_unpacked(precision),
                launch_seconds=launch_seconds,
            )
    finally:
        torch.set_num_threads(threads)


def _steps(precision: Precision, traffic: float) -> tuple[float, float]:
    """Operations a second, and the least seconds of a layer in a pass, of training steps."""
    from textune.models.architecture import Architecture

    architecture = Architecture(LAYERS)
    model: Any = architecture.random(precision)  # `to` is not typed
    model, weightless = model.to(device_name()), architecture.weightless(precision)
    small, large = (_step(model, weightless, num * TIMES[device_name()]) for num in BATCHES)
    seconds = [found - demand.fit_traffic / traffic for demand, found in (small, large)]
    more = large[0].fit_flops - small[0].fit_flops
    # on a noisy machine the small step may take no less: then all its time counts as products
    rate = more / max(seconds[1] - seconds[0], SHARE * seconds[1])
    rest = seconds[0] - small[0].fit_flops / rate
    return rate, max(0.0, rest) / small[0].launches


def _step(
    model: "PreTrainedModel", weightless: "PreTrainedModel", size: int
) -> "tuple[Demand, float]":
    """What a step of LoRA on so many examples demands, and its seconds."""
    import torch

    from textune.engine.packing import Item
    from textune.methods.lora import LoRA
    from textune.training.forecast import Course, tuning_demand
    from textune.training.masters import Masters
    from textune.training.settings import TrainingSpec

    method, shared = LoRA(), tuple(range(3, 3 + SHARED))
    items = [Item((*shared, *[i % 500 + 3] * OWN), (5, 2)) for i in range(size)]
    course, spec = Course(items, [], [], added=1), TrainingSpec(epochs=1, batch_size=size)
    demand = tuning_demand(method, weightless, course, spec, lambda _, engine: engine.answer_loss)
    adapted = method.apply(model, [])
    engine = method.engine(model, adapted)
    trained = [p for p in adapted.parameters() if p.requires_grad]
    masters = Masters(trained, weight_decay=0.0)

    def step(items: "Sequence[Item]") -> None:
        with torch.enable_grad():
            engine.answer_loss(items).backward()  # type: ignore[no-untyped-call]  # torch's
        masters.step(1e-6)
        masters.clear()

    seconds = _seconds(step, [items])
    method.release(adapted)
    return demand, seconds


def _traffic() -> float:
    """Bytes a second that element-wise work reads and writes in place, beyond all caches.

    As an optimiser does. What activations cost more, whose memory is new, is in the steps' rates.
    """
    first, second = (_numbers("float32", NUMBERS * TIMES[device_name()]) for _ in range(2))

    def update(pair: "Sequence[torch.Tensor]") -> None:
        pair[0].mul_(0.5)
        pair[0].add_(pair[1])

    moved = 5 * first.numel() * first.element_size()
    return moved / _seconds(update, [(first, second)])


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


def _seconds(work: Callable[[Sequence[T]], object], turns: Sequence[Sequence[T]]) -> float:
    """Of a turn, from start to when its results are gone; the first does not count.

    A quarter of the turns were faster: other work that comes and goes does not count either.
    """
    import torch

    def wait() -> None:
        if device_name() == "cuda":
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
