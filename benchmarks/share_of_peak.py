"""Training, against what the machine's matrix products reach alone: share of the peak.

The peak is the best of several products in the number format that is multiplied fastest here, with
the widths of the model's own layers and many rows, in a process with the same threads. Useful
operations are those that the engine counts: linear layers on real tokens, forward and back through
the activations, LoRA's own, attention, and the vocabulary where it is read. The first step takes
about 1.6 times as long as the others (memory is taken, kernels are made for new shapes): with few
examples that shows.
"""

import argparse
import time
from typing import Any

from comparison import Round, keep
from fresh import in_fresh_process, print_heading
from peers import LR, MODEL, named
from train_vs_trl import MAX_LENGTH, Job, lora_training

ROWS = (512, 1024, 4096)
SECONDS = 2.0


def trained(job: Job) -> float:
    """Operations a second of one epoch of LoRA."""
    from textune.cost.meter import meter
    from textune.training.loop import Watch, train

    trainee, items, spec = lora_training(job)
    with meter() as used:
        train(trainee, items, spec, lr=LR, seed=0, watch=Watch())
    assert used.usage.flops is not None, "the engine counts its work"
    return used.usage.flops / used.usage.wall_seconds


def peak(job: Job) -> float:
    """Operations a second of the best product."""
    import torch

    from textune.models.architecture import find_architecture
    from textune.models.catalog import find_model
    from textune.models.device import device_name, precision_of

    config = find_architecture(find_model(job.model)).config.get_text_config()
    widths = (config.hidden_size, config.intermediate_size)
    options: Any = {
        "dtype": getattr(torch, precision_of("auto")),
        "device": device_name(),
    }
    return max(
        _speed(torch.randn(rows, k, **options), torch.randn(n, k, **options))
        for rows in ROWS
        for k, n in (widths, widths[::-1])
    )


def _speed(states: Any, weight: Any) -> float:
    from torch.nn import functional

    done, start = 0, 0.0
    while done < 3 or time.perf_counter() - start < SECONDS:
        if done == 2:  # the first two are not counted
            start = time.perf_counter()
        functional.linear(states, weight).sum().item()
        done += 1
    (rows, k), n = states.shape, len(weight)
    return 2.0 * rows * k * n * (done - 2) / (time.perf_counter() - start)


def main() -> None:
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default=MODEL, help="name or folder")
    parser.add_argument("--instruction", default="short", choices=["short", "usual", "long"])
    parser.add_argument("--examples", type=int, default=384, help="training examples of SciCite")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured")
    asked = parser.parse_args()
    job = Job(asked.model, asked.instruction, asked.examples, asked.batch_size, MAX_LENGTH)
    print_heading()
    rounds = []
    for number in range(1, asked.rounds + 1):
        ours, best = in_fresh_process(trained, job) / 1e9, in_fresh_process(peak, job) / 1e9
        rounds.append(Round(ours, best))
        print(f"round {number}: training {ours:.1f}, products {best:.1f} GFLOP/s", flush=True)
    keep(f"{named(asked.model)}share-of-peak", rounds, job)


if __name__ == "__main__":
    main()
