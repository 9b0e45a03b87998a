"""What a cell will need, known from shapes before it is run: bytes, operations, and their parts.

What is not covered: how fast a machine is (``cost.rates``) and who counts (``engine.forecast``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from textune.core.registry import Spec

Device = Literal["cpu", "cuda"]

PROCESS_BYTES = 545_000_000
"""Resident memory of a worker without its model: Python with torch, transformers and peft
(measured: 434 MB), after its first cell also scikit-learn and pyarrow (544 MB)."""
CUDA_CONTEXT_BYTES = 500_000_000
"""What a CUDA process takes on the device before it allocates anything (assumed); it counts for
whether a cell fits, not for what torch says that it has allocated."""
HEAP = {"cpu": 1.35, "cuda": 1.05}
"""Bytes taken from the system for each byte that a training step keeps. Its tensors come and go in
many sizes, and glibc's heap keeps the holes between them: fitted to cells in fp32
(``benchmarks/plan_vs_measured.py``) and to figures of earlier ones in bf16. torch's CUDA allocator
fills them (assumed). Scoring keeps nothing: each layer takes the places of the last."""
HOLES = {"cpu": 270_000_000, "cuda": 0}
"""Bytes of holes that training leaves however small its steps are (fitted as above)."""
SPARING_HEAP = {"cpu": 1.05, "cuda": 1.05}
"""As ``HEAP`` where memory is short and arrays are the system's own (``cost.memory``)."""
SPARING_HOLES = {"cpu": 100_000_000, "cuda": 0}
"""As ``HOLES`` there."""


@dataclass(frozen=True, kw_only=True)
class Demand(Spec):
    """What fitting and predicting of a cell need."""

    precision: Literal["bfloat16", "float32"] = "bfloat16"
    """Number format of the products."""
    total_params: int
    trainable_params: int
    weight_bytes: float
    """The base model as it is held in memory, and whatever the method adds."""
    state_bytes: float = 0.0
    """What each trainable parameter has beside it: gradients, fp32 master, two moments."""
    kept_bytes: float = 0.0
    """What the largest training step keeps for its way back; 0 without training."""
    least_kept: float | None = None
    """The same where each micro-batch is one example and layers are run again on the way back;
    None where steps are never divided."""
    sparing: bool = False
    """Whether memory is short, so that steps are made with as little of it as they can be."""
    predict_bytes: float = 0.0
    """What the largest prediction row holds at once."""
    fit_flops: float = 0.0
    predict_flops: float = 0.0
    fit_traffic: float = 0.0
    """Bytes of activations and optimiser state that fitting reads and writes."""
    predict_traffic: float = 0.0
    unpacked: float = 0.0
    """Weights that fitting unpacks from 4 bits, counted at every pass."""
    predict_passes: float = 0.0
    """How often predicting reads all weights: once a row, and for every token that is written."""
    predict_unpacked: float = 0.0
    """As ``unpacked``, of predicting."""
    launches: float = 0.0
    """Layers that are run, counted at every pass; a GPU needs a least time for each."""

    def after(self, trial: Demand, *, times: int) -> Demand:
        """With so many trials before it, each fitted and scored in turn; fitting is all of it."""
        return replace(
            self,
            fit_flops=self.fit_flops + times * (trial.fit_flops + trial.predict_flops),
            fit_traffic=self.fit_traffic + times * (trial.fit_traffic + trial.predict_traffic),
            unpacked=self.unpacked + times * (trial.unpacked + trial.predict_unpacked),
            launches=self.launches + times * trial.launches,
        )

    def peak_bytes(self, device: Device) -> int:
        """What a meter will see: resident memory, or what torch has allocated on the device."""
        process = PROCESS_BYTES if device == "cpu" else 0
        holes, heap = _heap(device, sparing=self.sparing)
        training = holes + heap * self.kept_bytes if self.kept_bytes else 0.0
        passing = max(training, self.predict_bytes)
        return int(process + self.weight_bytes + self.state_bytes + passing)

    def room(self, memory: float, device: Device, *, sparing: bool) -> float:
        """Bytes that a training step may keep in so much memory; below 0 where all is taken."""
        holes, heap = _heap(device, sparing=sparing)
        idle = replace(self, kept_bytes=0.0, predict_bytes=0.0)
        return (memory - idle.needed_bytes(device) - holes) / heap

    def within(self, memory: float, device: Device) -> Demand:
        """As it is done in so much memory: steps keep what there is room for, or the least."""
        if self.least_kept is None or self.kept_bytes <= self.room(memory, device, sparing=False):
            return self
        room = self.room(memory, device, sparing=True)
        kept = max(self.least_kept, min(self.kept_bytes, room))
        return replace(self, kept_bytes=kept, sparing=True)

    def needed_bytes(self, device: Device) -> int:
        """What must be free on the machine or the device."""
        context = CUDA_CONTEXT_BYTES if device == "cuda" else 0
        return self.peak_bytes(device) + context


def _heap(device: Device, *, sparing: bool) -> tuple[float, float]:
    """Bytes of holes, and bytes taken from the system for each that a step keeps."""
    if sparing:
        return SPARING_HOLES[device], SPARING_HEAP[device]
    return HOLES[device], HEAP[device]
