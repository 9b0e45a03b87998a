"""One table of all targets: the peer beside us, the ratio, the target, met or not.

Reads ``results``, which the comparisons have written, a folder for each kind of machine. A target
that is missed says why, and what would close it.
"""

import argparse

from comparison import RESULTS, Target, machine, row

AMX, VECTORS = "intel-xeon-amx-bf16", "amd-epyc-family-25-avx512-bf16"
FAST_VECTORS = "amd-epyc-family-26-avx512-bf16"
LORA = {
    AMX: "products of weights and of LoRA are two fifths of a step, the rest waits for memory",
    VECTORS: "a step computes at two thirds of the peak of products; ten times as much as TRL, "
    "with the short instruction, would take three quarters of it",
    FAST_VECTORS: "products are 55 % of a step, attention 11 %; for 13 % a thread waits, mostly "
    "while Python runs on the other: fewer calls a layer, or larger batches",
}
TARGETS = (
    Target(
        "lora-short",
        "LoRA training, instruction of 50 tokens",
        "TRL",
        "examples/s",
        10,
        open=LORA,
    ),
    Target(
        "lora-long",
        "LoRA training, instruction of 300 tokens",
        "TRL",
        "examples/s",
        20,
        open=LORA,
    ),
    Target(
        "share-of-peak",
        "LoRA training, useful operations",
        "the peak",
        "GFLOP/s",
        0.6,
        open=LORA,
    ),
    Target("lora-short-memory", "LoRA training, peak memory", "TRL", "GB", 1 / 3, "at most"),
    Target("score-0-shot", "label scoring, no demonstrations", "lm-eval", "examples/s", 3),
    Target(
        "score-8-shot",
        "label scoring, 8 demonstrations",
        "lm-eval",
        "examples/s",
        25,
        open={
            AMX: "products are two fifths, attention to the demonstrations, which both sides "
            "compute for each sentence, a quarter of what is left",
            VECTORS: "it computes at nine tenths of the peak of products; at the peak it would be "
            "22 times",
        },
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
        open={
            AMX: "the peer groups by length, too; products of weights are 27 % of a step, passes "
            "over all weights (gradients, clipping, AdamW) a third",
            VECTORS: "it computes at half of the peak of products; the rest are passes over "
            "activations and over all weights",
        },
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
    Target("7b-lora-short", "LoRA of a 7B architecture", "TRL", "examples/s", 2, on="nvidia"),
    Target("7b-qlora-short", "QLoRA of a 7B architecture", "TRL", "examples/s", 2, on="nvidia"),
    Target(
        "7b-share-of-peak",
        "LoRA of a 7B architecture, useful operations",
        "the peak",
        "GFLOP/s",
        0.5,
        on="nvidia",
    ),
    Target("side-by-side", "ten folds side by side", "one by one", "examples/s", 4, on="nvidia"),
    Target(
        "1b-side-by-side",
        "the same of a 1B architecture",
        "one by one",
        "examples/s",
        4,
        on="nvidia",
    ),
)
COLUMNS = ("what", "peer", "textune", "peer's", "ratio", "target", "met")


def main() -> None:
    """Print a table for each kind of machine, this one's first where it has measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = sorted({path.parent.name for t in TARGETS for path in RESULTS.glob(f"*/{t.key}.json")})
    parser.add_argument("machines", nargs="*", default=known, help=f"some of: {', '.join(known)}")
    asked = parser.parse_args()
    for kind in sorted(asked.machines, key=lambda kind: kind != machine()):
        found = [row(target, kind) for target in TARGETS if kind.startswith(target.on)]
        rows = [COLUMNS, ("---",) * len(COLUMNS), *found]
        print(f"{kind}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n")


if __name__ == "__main__":
    main()
