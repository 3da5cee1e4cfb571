"""Which real tumour is mixed into which tumour-free host."""

from __future__ import annotations

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

    With 100 tumours, 200 hosts and n = 200 this is the published plan: two permutations of the
    tumours over one of the hosts. Any other numbers work too; a pair is repeated only when fewer
    than `n` different pairs exist.

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
    order = _decks(rng, sorted(tumours), n)
    deck: list[str] = []
    used: set[tuple[str, str]] = set()
    pairs = []
    for index, tumour in enumerate(order):
        if not deck:
            deck = _decks(rng, sorted(hosts), len(hosts))
            if len(used) >= len(set(tumours)) * len(set(hosts)):
                used.clear()
        fresh = [i for i, host in enumerate(deck) if (tumour, host) not in used]
        host = deck.pop(fresh[0] if fresh else 0)
        used.add((tumour, host))
        pairs.append(Pair(tumour, host, index))
    return pairs


def _decks(rng: np.random.Generator, keys: Sequence[str], n: int) -> list[str]:
    """`n` keys: fresh permutations one after another."""
    out: list[str] = []
    while len(out) < n:
        out += [keys[i] for i in rng.permutation(len(keys))]
    return out[:n]
