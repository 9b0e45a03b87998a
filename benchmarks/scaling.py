"""How time and memory grow, axis by axis, each with its exponent: LoRA training and label scoring.

One number grows and all others stay: training examples, tokens of a text, tokens of the shared
prefix, batch size, trainings one after the other on one loaded model (folds), labels (scored, not
trained). Tokens are those of SciCite sentences. The exponent is the slope of a straight line
through the logarithms; memory is what the process took above the loaded model. Each point runs in
a process of its own. Draws ``docs/concepts/scaling.png``.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain, cycle, islice, product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from comparison import RESULTS, machine, write
from fresh import in_fresh_process, print_heading
from peers import LR, MODEL, WARMUP_STEPS
from scicite import sentences

PICTURE = Path(__file__).parents[1] / "docs" / "concepts" / "scaling.png"
What = Literal["seconds", "bytes"]
KINDS: tuple[tuple[What, str, float], ...] = (("seconds", "seconds", 1.0), ("bytes", "GB", 1e9))
"""Field of a point, its title, and how many make one of what is shown."""
ANSWER = 3
"""Tokens of an answer, its end included."""


@dataclass(frozen=True)
class Job:
    """What one point does."""

    examples: int = 32
    text: int = 48
    """Tokens of a text."""
    prefix: int = 96
    """Tokens that all prompts share."""
    batch: int = 8
    folds: int = 1
    labels: int = 0
    """So many are scored; 0: train."""
    model: str = MODEL


@dataclass(frozen=True)
class Axis:
    """One number that grows."""

    key: Literal["examples", "text", "prefix", "batch", "folds", "labels"]
    title: str
    values: tuple[int, ...]
    base: Job = field(default_factory=Job)


AXES = (
    Axis("examples", "training examples", (32, 64, 128, 256), Job(batch=16)),
    Axis("text", "tokens of a text", (32, 64, 128, 256, 512), Job(examples=16)),
    Axis("prefix", "tokens of the prefix", (64, 128, 256, 512, 1024)),
    Axis("batch", "batch size", (4, 8, 16, 32), Job(examples=64)),
    Axis("folds", "folds, one after the other", (2, 4, 8), Job(examples=16)),
    Axis("labels", "labels, scored", (2, 4, 8, 16, 32), Job(examples=64)),
)


@dataclass(frozen=True)
class Point:
    """What a job took."""

    x: int
    seconds: float
    bytes: int
    """Above the loaded model."""


def measured(job: Job) -> tuple[float, int]:
    """Seconds and bytes of one job."""
    from textune.cost.memory import peak_memory, release_memory
    from textune.models.catalog import find_model
    from textune.models.device import precision_of
    from textune.models.load import load_causal

    loaded = load_causal(find_model(job.model), precision_of("auto"), "none")
    prepare = _scoring if job.labels else _training
    work = prepare(job, loaded, _items(job, loaded.tokenizer))
    release_memory()
    with peak_memory(None) as peak:
        before, start = peak.read(), time.perf_counter()
        work()
        return time.perf_counter() - start, peak.read() - before


def _training(job: Job, loaded: Any, items: Sequence[Any]) -> Callable[[], object]:
    """One training for each fold, once it is called."""
    import torch

    from textune.engine.causal import CausalEngine
    from textune.methods.lora import LoRA
    from textune.training.loop import Trainee, Watch, train
    from textune.training.settings import TrainingSpec

    spec = TrainingSpec(epochs=1, batch_size=job.batch, warmup_steps=WARMUP_STEPS)
    torch.manual_seed(0)

    def work() -> None:
        for fold in range(job.folds):
            method = LoRA(rank=16, alpha=32)
            adapted = method.apply(loaded.model, [])
            trainee = Trainee(adapted, CausalEngine(loaded.model).answer_loss)
            train(trainee, items, spec, lr=LR, seed=fold, watch=Watch())
            method.release(adapted)

    return work


def _scoring(job: Job, loaded: Any, items: Sequence[Any]) -> Callable[[], object]:
    """Scoring of labels of two tokens that share none, once it is called."""
    from textune.engine.causal import CausalEngine
    from textune.engine.labels import label_tree

    answers = [(2 * label + 1000, 2 * label + 1001) for label in range(job.labels)]
    tree = label_tree(answers, loaded.tokenizer.eos_token_id, [str(each) for each in answers])
    engine, prompts = CausalEngine(loaded.model), [item.prompt for item in items]
    return lambda: engine.label_scores(prompts, tree)


def _items(job: Job, tokenizer: Any) -> Sequence[Any]:
    """Prompts of the asked lengths, cut from a stream of sentences."""
    from textune.engine.packing import Item

    texts = [example.texts[0] for example in sentences("train", 1000)]
    stream = cycle(chain.from_iterable(tokenizer(texts, add_special_tokens=False)["input_ids"]))
    prefix = tuple(islice(stream, job.prefix))
    return [
        Item((*prefix, *islice(stream, job.text)), tuple(islice(stream, ANSWER)))
        for _ in range(job.examples)
    ]


def exponent(points: Sequence[Point], what: What) -> float:
    """Slope in logarithms."""
    across = np.log([point.x for point in points])
    return float(np.polyfit(across, np.log([getattr(point, what) for point in points]), 1)[0])


def grown(points: Sequence[Point], what: What) -> str:
    """The exponent of all points, and of the last two, where what grows fastest has its way."""
    return f"exponent {exponent(points, what):.2f}, at the end {exponent(points[-2:], what):.2f}"


def draw(found: dict[str, list[Point]]) -> None:
    """Panels in threes, seconds above memory, both axes logarithmic."""
    import altair as alt

    from textune.report.figures import png, svg
    from textune.report.look import finish

    rows: list[Any] = []
    shown = [axis for axis in AXES if axis.key in found]
    halves = [shown[start : start + 3] for start in range(0, len(shown), 3)]
    for axes, (what, title, scale) in product(halves, KINDS):
        panels = []
        for axis in axes:
            points = found[axis.key]
            data = [{"x": p.x, "y": getattr(p, what) / scale} for p in points]
            across = alt.X(
                "x:Q",
                scale=alt.Scale(type="log", nice=False, padding=12),
                axis=alt.Axis(values=[p.x for p in points], grid=False, format="d"),
                title=axis.title,
            )
            up = alt.Y("y:Q", scale=alt.Scale(type="log"), title=title, axis=alt.Axis(tickCount=4))
            chart = alt.Chart(alt.Data(values=data), title=grown(points, what))
            panels.append(
                chart.mark_line(point=True)
                .encode(x=across, y=up)
                .properties(width=230, height=150)
            )
        rows.append(alt.hconcat(*panels))
    PICTURE.write_bytes(png(svg(finish(alt.vconcat(*rows)))))


def main() -> None:
    """Measure each axis, print it with its exponents, keep and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [axis.key for axis in AXES]
    parser.add_argument("--axes", nargs="*", choices=names, default=names, help="none: only draw")
    asked = parser.parse_args()
    print_heading()
    path = RESULTS / machine() / "scaling.json"
    kept = json.loads(path.read_text(encoding="utf-8"))["axes"] if path.is_file() else {}
    for axis in AXES:
        if axis.key not in asked.axes:
            continue
        points = []
        for x in axis.values:
            job = replace(axis.base, **{axis.key: x})
            points.append(Point(x, *in_fresh_process(measured, job)))
            print(f"{axis.title} {x}: {points[-1].seconds:.1f} s, {points[-1].bytes / 1e9:.2f} GB")
        for what, title, _ in KINDS:
            print(f"{axis.title}, {title}: {grown(points, what)}", flush=True)
        kept[axis.key] = {"job": asdict(axis.base), "points": [asdict(each) for each in points]}
        write("scaling", {"axes": kept})
    draw({key: [Point(**each) for each in one["points"]] for key, one in kept.items()})


if __name__ == "__main__":
    main()
