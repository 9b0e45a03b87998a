"""Rows that are padded to one length, divided so that little of it is padding."""

from collections.abc import Sequence

from textune.models.device import device_name

PASS = {"cpu": 50, "cuda": 4096}
"""What a pass takes beside its cells, as so many more cells: 22 ms of a core for MiniLM in
training (44 to 58 cells, with texts of 32 and 64 tokens); on a GPU assumed."""


def divided(lengths: Sequence[int]) -> list[list[int]]:
    """Places of items in passes that together take least, shortest items first.

    Each is padded to the longest of its pass. A pass takes its cells and a constant. Best
    divisions of ever more items follow from each other, as items of like length belong together.
    """
    order = sorted(range(len(lengths)), key=lambda place: lengths[place])
    least, starts = [0.0], [0]
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        costs = [least[start] + (end - start) * longest for start in range(end)]
        start = min(range(end), key=costs.__getitem__)
        least.append(costs[start] + PASS[device_name()])
        starts.append(start)
    passes, end = [], len(order)
    while end:
        passes.append(order[starts[end] : end])
        end = starts[end]
    return passes[::-1]
