"""Record: what one cell produced. Predictions lie beside it, one row an example."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from textune.core.registry import Spec
from textune.cost.energy import Energy
from textune.cost.served import ServedTokens
from textune.data.predictions import Predictions

FORMAT = 1
"""Version of the record's form on disk."""

TEST_CUT = "test_cut"
"""The note of how many tested examples an approach could not read whole."""
SIDE_BY_SIDE = "side_by_side"
"""The note of how many cells were fitted together, of which this is one."""


@dataclass(frozen=True, kw_only=True)
class CellKey(Spec):
    """Which cell of a study a record belongs to."""

    task: str
    approach: str
    """Label of the approach in the study, unique in it, e.g. ``lora`` or ``prompted 4-shot``."""
    size: int
    """Number of training examples (all that the fold has, or fewer)."""
    fold: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Cost(Spec):
    """What one cell cost. None means not applicable or not measured, never zero."""

    fit_seconds: float
    predict_seconds: float
    """For the whole test part."""
    cpu_seconds: float
    peak_bytes: int | None = None
    """Peak of device memory on an accelerator, else peak resident memory of the worker."""
    peak_kind: Literal["device", "resident", "unknown"] = "unknown"
    total_params: int | None = None
    trainable_params: int | None = None
    fit_tokens: int | None = None
    predict_tokens: int | None = None
    fit_flops: float | None = None
    predict_flops: float | None = None
    latency_p50_seconds: float | None = None
    latency_p95_seconds: float | None = None
    """Of single predictions, one example a call."""
    adapter_bytes: int | None = None
    """Bytes that must be kept to use the fitted approach, the shared base model not counted."""
    energy: Energy | None = None
    """Of this machine; None where a served model does the work: nobody tells what that needs."""
    served: dict[str, ServedTokens] = field(default_factory=dict)
    """Tokens of models that run elsewhere, by their names, of fitting and predicting."""
    fees: float | None = None
    """The part of the price that is for those tokens."""
    fit_price: float | None = None
    """The part of the price that is for fitting."""
    price: float | None = None
    """Price of fitting and predicting, in the currency of the price table."""
    price_currency: str = ""
    price_table: str = ""
    """Name and date of the price table."""


@dataclass(frozen=True, kw_only=True)
class Failure(Spec):
    """Why a cell has no result."""

    kind: Literal["error", "out of memory", "killed"]
    message: str
    hint: str = ""


Setting = float | int | str
"""A value of an option that a search may vary."""


@dataclass(frozen=True, kw_only=True)
class Trial(Spec):
    """What a search inside the training part tried once."""

    settings: dict[str, Setting]
    score: float | None
    """Main metric on the examples that the search held out; None: the loss was lost."""
    seconds: float


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """The trial with the highest score, the first of equal ones; None if all were lost."""
    scored = [trial for trial in trials if trial.score is not None]
    return max(scored, key=lambda trial: trial.score or 0.0, default=None)


@dataclass(frozen=True, kw_only=True)
class Record(Spec):
    """What one cell produced."""

    format: int = FORMAT
    fingerprint: str
    status: Literal["done", "failed"]
    cell: CellKey
    scores: dict[str, float | None] = field(default_factory=dict)
    """Metric name -> value on the test part."""
    cost: Cost | None = None
    failure: Failure | None = None
    num_train: int = 0
    num_test: int = 0
    notes: dict[str, str | int | float | None] = field(default_factory=dict)
    """What ``auto`` became and what the approach has to say: learning rate, best epoch, losses."""
    trials: list[Trial] = field(default_factory=list)
    """What a search tried before the training that counts; its time is part of the cost."""
    versions: dict[str, str] = field(default_factory=dict)
    """Python, libraries, textune, processor."""
    finished: str = ""
    """UTC time, ISO 8601."""


@dataclass(frozen=True)
class ScoredExamples:
    """Predictions beside ids and gold answers: what is stored for a cell."""

    ids: list[str]
    gold: list[str]
    predictions: Predictions
