"""Latency of single predictions."""

from collections.abc import Sequence

import numpy as np


def percentiles(seconds: Sequence[float]) -> tuple[float | None, float | None]:
    """Median and 95th percentile, linear between neighbours; None for no values."""
    if not seconds:
        return None, None
    p50, p95 = np.percentile(seconds, [50, 95])
    return float(p50), float(p95)
