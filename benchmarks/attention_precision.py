"""Attention of a packed row in bf16 and in fp32: milliseconds on this machine, and their ratio.

The engine computes attention in the model's own number format. Shapes are those of SmolLM2-135M:
3 key-value heads with 3 query heads each, head size 64; a row of 16 segments of 60 tokens after a
prefix of 115. Timed are each matrix product of the forward pass, and the whole attention function
with and without its backward pass.
"""

import argparse
import functools
import time
from collections.abc import Callable
from statistics import median

import torch
from fresh import print_heading
from torch import nn

from textune.engine.attention import packed_attention
from textune.engine.packing import Item, Row, pack_answers

KEY_HEADS, GROUPS, WIDTH = 3, 3, 64
SEGMENTS, LENGTH, PREFIX = 16, 60, 115
QUERIES = GROUPS * LENGTH

TO_PREFIX, TO_OWN = (KEY_HEADS, SEGMENTS * QUERIES), (KEY_HEADS, SEGMENTS, QUERIES)
OWN = (KEY_HEADS, SEGMENTS)

PRODUCTS = {
    "query x prefix keys": ((*TO_PREFIX, WIDTH), (KEY_HEADS, WIDTH, PREFIX)),
    "weights x prefix values": ((*TO_PREFIX, PREFIX), (KEY_HEADS, PREFIX, WIDTH)),
    "query x own keys": ((*TO_OWN, WIDTH), (*OWN, WIDTH, LENGTH)),
    "weights x own values": ((*TO_OWN, LENGTH), (*OWN, LENGTH, WIDTH)),
}
"""Shapes of the two factors."""


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time, after a few calls that are not counted."""
    found = []
    for _ in range(3 + repeats):
        start = time.perf_counter()
        work()
        found.append((time.perf_counter() - start) * 1e3)
    return median(found[3:])


def product(name: str, dtype: torch.dtype) -> Callable[[], object]:
    """One product of random factors."""
    left, right = (torch.randn(shape, dtype=dtype) for shape in PRODUCTS[name])
    return lambda: left @ right


def attention(dtype: torch.dtype, *, backward: bool) -> Callable[[], object]:
    """The engine's attention on one random row, with the gradients of its inputs or without."""
    row = _row()
    size = len(row.positions)
    heads = (KEY_HEADS * GROUPS, KEY_HEADS, KEY_HEADS)
    query, key, value = (
        torch.randn(1, n, size, WIDTH, dtype=dtype, requires_grad=backward) for n in heads
    )
    layer = nn.Module()
    layer.layer_idx = 0  # type: ignore[assignment]  # as decoders number their attention modules

    def work() -> None:
        out, _ = packed_attention(layer, query, key, value, None, layout=row.layout)
        if backward:
            torch.autograd.grad(out, (query, key, value), torch.ones_like(out))

    return work


def _row() -> Row:
    prefix = tuple(range(PREFIX))
    items = [Item((*prefix, at, *[0] * (LENGTH - 2)), (0, 0)) for at in range(SEGMENTS)]
    row, _ = pack_answers(items)
    assert row.layout.prefix == PREFIX, "the segments begin differently"
    (block,) = row.layout.blocks
    assert block.gather_SL.shape == (SEGMENTS, LENGTH), "the last answer token is not read"
    return row


def main() -> None:
    """Time everything in both formats and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30, help="timed calls of each")
    asked = parser.parse_args()
    print_heading()
    print(f"torch threads: {torch.get_num_threads()}")
    cases: dict[str, Callable[[torch.dtype], Callable[[], object]]] = {
        name: functools.partial(product, name) for name in PRODUCTS
    }
    cases["attention, forward"] = functools.partial(attention, backward=False)
    cases["attention, forward and backward"] = functools.partial(attention, backward=True)
    for name, case in cases.items():
        bf16 = milliseconds(case(torch.bfloat16), asked.repeats)
        fp32 = milliseconds(case(torch.float32), asked.repeats)
        print(f"{name}: bf16 {bf16:.2f} ms, fp32 {fp32:.2f} ms, fp32 / bf16 {fp32 / bf16:.2f}")


if __name__ == "__main__":
    main()
