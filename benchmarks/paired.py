"""The mean of differences between two ways to do the same, scan by scan, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

N_RESAMPLED, INTERVAL = 10_000, (2.5, 97.5)


def beyond(differences: Sequence[float]) -> str:
    """Mean difference and its 95 % interval by the bootstrap over scans, as words.

    How networks differ that learned the same is in it only as far as the differences hold it.
    """
    if not differences:
        return "n/a"
    each = np.array(differences)
    drawn = np.random.default_rng(0).choice(each, (N_RESAMPLED, len(each))).mean(1)
    low, high = np.percentile(drawn, INTERVAL)
    return f"{each.mean():+.3f} ({low:+.3f} to {high:+.3f})"
