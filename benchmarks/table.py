"""One table of all targets: the peer beside us, the ratio, the target, met or not.

Reads ``results``, which the comparisons have written. A target that is missed says why, and what
would close it.
"""

import json

from comparison import RESULTS, Target, row

NARROW = (
    "products of weights and of LoRA are two fifths of a step, the rest waits for memory; and two "
    "threads are only 1.2 times as fast as one"
)
TARGETS = (
    Target(
        "lora-short",
        "LoRA training, instruction of 50 tokens",
        "TRL",
        "examples/s",
        10,
        open=NARROW,
    ),
    Target(
        "lora-long",
        "LoRA training, instruction of 300 tokens",
        "TRL",
        "examples/s",
        20,
        open=NARROW,
    ),
    Target(
        "share-of-peak",
        "LoRA training, useful operations",
        "the peak",
        "GFLOP/s",
        0.6,
        open=NARROW,
    ),
    Target("lora-short-memory", "LoRA training, peak memory", "TRL", "GB", 1 / 3, "at most"),
    Target("score-0-shot", "label scoring, no demonstrations", "lm-eval", "examples/s", 3),
    Target(
        "score-8-shot",
        "label scoring, 8 demonstrations",
        "lm-eval",
        "examples/s",
        25,
        open="products are two fifths, attention to the demonstrations, which both sides compute "
        "for each sentence, a quarter of what is left",
    ),
    Target(
        "extract",
        "entities by generation",
        "generate",
        "tokens/s",
        2,
    ),
    Target("study", "5 methods x 5 folds and prompting", "TRL and lm-eval", "studies/h", 8),
    Target(
        "encoder",
        "encoder fine-tuning, MiniLM",
        "Trainer",
        "texts/s",
        2,
        open="the peer groups by length, too; products of weights are 27 % of a step, passes over "
        "all weights (gradients, clipping, AdamW) a third",
    ),
    Target(
        "cli-help",
        "`textune --help`",
        "",
        "s",
        0.25,
        "at most",
    ),
    Target("cli-import", "`import textune`", "", "s", 0.1, "at most"),
    Target("cli-resume", "resume of 1,000 done cells", "", "s", 2, "at most"),
)
COLUMNS = ("what", "peer", "textune", "peer's", "ratio", "target", "met")


def main() -> None:
    """Print the table, and the machines that it is of."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(row, TARGETS)]
    print("\n".join(f"| {' | '.join(cells)} |" for cells in rows))
    machines = {
        json.loads(p.read_text(encoding="utf-8"))["machine"] for p in RESULTS.glob("*.json")
    }
    print("\nmachine: " + "; ".join(sorted(machines)))


if __name__ == "__main__":
    main()
