"""Which real tumour is mixed into which tumour-free host."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pair:
    """One mix to make: a tumour scan, its host, and the mix's number."""

    tumour: str
    host: str
    index: int


def plan_pairs(tumours: Sequence[str], hosts: Sequence[str], n: int, seed: int) -> list[Pair]:
    """Pair tumour scans with hosts, each used as often as the others (within one).

    With 100 tumours, 200 hosts and n = 200 this is the published plan: all tumours twice over a
    permutation of the hosts. Any other numbers work too; a pair is repeated only when fewer than
    `n` different pairs exist.

    Parameters
    ----------
    tumours, hosts
        Scan keys, in any order.
    n
        Number of mixes.
    seed
        Fixes the plan.

    Returns
    -------
    list of Pair
        `n` of them.

    Raises
    ------
    ValueError
        If mixes are wanted but there is no tumour or no host.
    """
    if n <= 0:
        return []
    if not tumours or not hosts:
        raise ValueError(
            f"Mixing needs at least one tumour scan with a pseudo-label and one tumour-free host; "
            f"found {len(tumours)} and {len(hosts)}."
        )
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, n])))
    t, h = ([keys[i] for i in rng.permutation(len(keys))] for keys in map(sorted, (tumours, hosts)))
    # In step through both, every pair comes after so many at the latest, or never; then the hosts
    # are moved on by one.
    lap = math.lcm(len(t), len(h))
    return [Pair(t[k % len(t)], h[(k + k // lap) % len(h)], k) for k in range(n)]
