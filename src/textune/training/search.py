"""Equal-budget search: so many trials of settings, the same number for every method.

The first trials are a ladder of learning rates about the method's own, so that short searches are
the same for all; later ones are suggested by Optuna from what the trials before them scored. A
search that was killed goes on behind its last finished trial.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from textune.core import files
from textune.core.config import parse, plain
from textune.core.errors import ConfigError, DivergedError, ImpossibleError
from textune.core.registry import Spec
from textune.core.seeds import derive
from textune.data.examples import Example
from textune.data.folds import held_out
from textune.methods.base import Method
from textune.results.record import Setting, Trial, best_trial
from textune.tasks.kinds.base import Kind
from textune.training.settings import MAX_LR

LADDER = (0.0, 0.5, -0.5)
"""Learning rates of the first trials, as powers of the span by which the middle is multiplied."""


@dataclass(frozen=True, kw_only=True)
class SearchSpec(Spec):
    """A search for settings inside the training part, before the training that counts."""

    trials: int = 3
    """Trainings that it may spend."""
    over: Literal["lr", "all"] = "lr"
    """``lr``: the learning rate alone; ``all``: also the method's own options."""
    valid_fraction: float = 0.2
    """Share of the training part that trials are scored on; the other share trains them."""

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ConfigError(f"trials cannot be {self.trials}", hint="1 or more; 3 is usual")
        if not 0 < self.valid_fraction < 1:
            hint = "it is a share above 0 and below 1, for example 0.2"
            raise ConfigError(f"valid_fraction cannot be {self.valid_fraction}", hint=hint)


def divided(
    train: Sequence[Example], kind: Kind, spec: SearchSpec, *, seed: int
) -> tuple[list[Example], list[Example]]:
    """What trials train on and what they are scored on: the same for every method.

    Raises:
        DataError: nothing can be held out: too few examples, or too large groups.
    """
    strata = [kind.stratum(str(e.answer)) for e in train]
    return held_out(train, strata, spec.valid_fraction, derive(seed, "search"))


@dataclass(frozen=True)
class Space:
    """What a search may choose from."""

    lr: float
    """The learning rate in the middle; the first trial has it."""
    span: float
    """The least rate is ``lr / span``, the greatest ``lr * span``."""
    choices: Mapping[str, tuple[Setting, ...]]
    """Option -> its values; the first trials have the first of each."""


def space_of(method: Method, lr: float, spec: SearchSpec) -> Space:
    """About this rate and, where the search is over all, about the options that the method has."""
    varied = method.space if spec.over == "all" else {}
    choices: dict[str, tuple[Setting, ...]] = {}
    for name, values in varied.items():
        now: Setting = getattr(method, name)
        choices[name] = (now, *(value for value in values if value != now))
    return Space(lr, method.lr_span, choices)


def search(
    space: Space,
    evaluate: Callable[[int, Mapping[str, Setting]], float],
    spec: SearchSpec,
    *,
    seed: int,
    path: Path | None,
) -> list[Trial]:
    """Every trial, in order.

    Args:
        space: Where to look.
        evaluate: Gives the score, higher is better, for the number of a trial and its settings.
        spec: How many trials.
        seed: Decides what is suggested after the ladder.
        path: Where finished trials are kept; None keeps none.
    """

    def settings(done: Sequence[Trial]) -> Mapping[str, Setting]:
        return _ladder(space, len(done)) or _suggested(space, done, seed)

    return run_trials(settings, evaluate, spec.trials, path=path)


def run_trials(
    settings: Callable[[Sequence[Trial]], Mapping[str, Setting]],
    evaluate: Callable[[int, Mapping[str, Setting]], float],
    trials: int,
    *,
    path: Path | None,
) -> list[Trial]:
    """Every trial, in order.

    Args:
        settings: Gives those of the next trial, from all before it.
        evaluate: Gives the score, higher is better, for the number of a trial and its settings.
        trials: How many.
        path: Where finished trials are kept; None keeps none.
    """
    done = _read(path)
    while len(done) < trials:
        number, chosen = len(done), dict(settings(done))
        start = time.perf_counter()
        try:
            score = evaluate(number, chosen)
        except DivergedError:
            score = None
        done.append(Trial(settings=chosen, score=score, seconds=time.perf_counter() - start))
        if path:
            files.write_text(path, json.dumps([plain(trial) for trial in done]))
    return done


def best(trials: Sequence[Trial]) -> Trial:
    """The trial with the highest score.

    Raises:
        ImpossibleError: the loss of every trial stopped being a number.
    """
    found = best_trial(trials)
    if found is None:
        hint = "a lower learning rate usually helps: training: {lr: ...}"
        raise ImpossibleError("the loss of every trial stopped being a number", hint=hint)
    return found


def _ladder(space: Space, number: int) -> dict[str, Setting]:
    """The settings of one of the first trials, with three digits; nothing for later ones."""
    if number >= len(LADDER):
        return {}
    lr = min(space.lr * space.span ** LADDER[number], MAX_LR)
    firsts = {name: values[0] for name, values in space.choices.items()}
    return {"lr": space.lr if number == 0 else _rounded(lr), **firsts}


def _suggested(space: Space, done: Sequence[Trial], seed: int) -> dict[str, Setting]:
    """What Optuna's tree-structured Parzen estimator says after the trials so far.

    Raises:
        ImpossibleError: Optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise ImpossibleError(
            f"a search of more than {len(LADDER)} trials needs optuna",
            hint="pip install 'textune[search]'",
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    state = derive(seed, "search", len(done)) % 2**32
    sampler = optuna.samplers.TPESampler(seed=state, n_startup_trials=len(LADDER))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    low, high = space.lr / space.span, min(space.lr * space.span, MAX_LR)
    ranges: dict[str, optuna.distributions.BaseDistribution] = {
        "lr": optuna.distributions.FloatDistribution(low, high, log=True)
    }
    for name, values in space.choices.items():
        ranges[name] = optuna.distributions.CategoricalDistribution(values)
    for trial in done:
        params, score = dict(trial.settings), trial.score or 0.0  # diverged: as bad as can be
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=ranges, value=score)
        )
    suggested = study.ask(ranges).params
    return {**suggested, "lr": min(max(_rounded(suggested["lr"]), low), high)}


def _rounded(lr: float) -> float:
    return float(f"{lr:.3g}")


def _read(path: Path | None) -> list[Trial]:
    """Finished trials of a search that was killed."""
    if path is None or not path.is_file():
        return []
    return [
        parse(Trial, trial, where=f"{path}: trial {number}")
        for number, trial in enumerate(json.loads(path.read_text("utf-8")))
    ]
