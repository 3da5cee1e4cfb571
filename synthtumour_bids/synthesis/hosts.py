"""Which tumour-free scans train and which validate, and how many samples each gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def split_hosts(
    groups: Sequence[tuple[str, str]], fraction_shifted: float = 1 / 3, seed: int = 0
) -> tuple[list[str], list[str]]:
    """Divide the scans into training hosts and shifted-validation hosts, person by person.

    Parameters
    ----------
    groups
        (scan key, person) pairs; all scans of one person stay on one side.
    fraction_shifted
        Share of the scans wanted for validation, in (0, 1).
    seed
        Fixes the choice; the order of `groups` does not matter.

    Returns
    -------
    tuple of list of str
        Training keys and shifted-validation keys, each sorted, neither empty.

    Raises
    ------
    ValueError
        With fewer than two persons, or a key given twice.
    """
    if not 0 < fraction_shifted < 1:
        raise ValueError(f"The shifted share must lie between 0 and 1, not {fraction_shifted}.")
    members: dict[str, list[str]] = {}
    for key, person in sorted(groups):
        members.setdefault(person, []).append(key)
    keys = [key for own in members.values() for key in own]
    if len(set(keys)) != len(keys):
        raise ValueError("The same scan was given twice as a tumour-free host.")
    if len(members) < 2:
        raise ValueError(
            "Training needs tumour-free scans of at least 2 persons, one to train on and one for "
            f"the shifted validation set; found {len(members)} person(s) with {len(keys)} scan(s)."
        )
    wanted = max(1, round(len(keys) * fraction_shifted))
    people = sorted(members)
    order = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, len(people)])))
    people = [people[i] for i in order.permutation(len(people))]
    shifted: list[str] = []
    taken: set[str] = set()
    for person in people[:-1]:  # at least one person is left to train on
        # Take a person if that brings the count nearer to what is wanted.
        if abs(len(shifted) + len(members[person]) - wanted) < abs(len(shifted) - wanted):
            shifted += members[person]
            taken.add(person)
    if not shifted:
        smallest = min(people, key=lambda person: (len(members[person]), person))
        shifted, taken = list(members[smallest]), {smallest}
    train = [key for person in people if person not in taken for key in members[person]]
    return sorted(train), sorted(shifted)


def samples_plan(keys: Iterable[str], n: int) -> list[tuple[str, int]]:
    """Share samples out among scans as evenly as can be.

    Parameters
    ----------
    keys
        Of the scans, in any order.
    n
        Number of samples.

    Returns
    -------
    list of tuple
        (key, index) pairs; indices count from 0 in each scan.

    Raises
    ------
    ValueError
        If samples are wanted but there is no scan.
    """
    ordered = sorted(keys)
    if n > 0 and not ordered:
        raise ValueError(f"{n} samples are wanted, but there is no tumour-free scan to make them.")
    return [(ordered[i % len(ordered)], i // len(ordered)) for i in range(n)]
