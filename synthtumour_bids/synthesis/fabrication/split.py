"""Which annotated scans are learned from, and which are held out to measure with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import DataError

HELD_OUT_SHARE = 0.25


@dataclass(frozen=True)
class Annotated:
    """One annotated scan: whose it is, and which tumour classes it has."""

    person: str
    classes: frozenset[int]


def split_annotated(
    scans: Mapping[str, Annotated], seed: int, share: float = HELD_OUT_SHARE
) -> tuple[list[str], list[str]]:
    """Divide annotated scans person by person, so that every class can be learned.

    Parameters
    ----------
    scans
        By key.
    seed
        Fixes the choice; the order of `scans` does not matter.
    share
        Of the scans wanted held out; at least one person is. Where everybody who can be has far
        more scans than that, it is who has fewest.

    Returns
    -------
    tuple of list of str
        Keys to learn from and keys held out, each sorted, neither empty.

    Raises
    ------
    DataError
        When nobody can be held out without taking a class away from all others.
    """
    persons = sorted({scan.person for scan in scans.values()})
    everything = frozenset().union(*(scan.classes for scan in scans.values()))
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, len(persons)])))
    wanted = max(1, round(len(scans) * share))
    sizes = Counter(scan.person for scan in scans.values())
    persons = [persons[index] for index in rng.permutation(len(persons))]
    held: set[str] = set()
    count = 0
    for person in persons:
        # The first one is to bring the count nearer to what is wanted, those after not beyond it.
        if count + sizes[person] > (wanted if count else 2 * wanted - 1):
            continue
        if everything <= _classes_without(scans, {*held, person}):
            held.add(person)
            count += sizes[person]
        if count >= wanted:
            break
    if not held:
        able = [one for one in persons if everything <= _classes_without(scans, {one})]
        held = set(sorted(able, key=sizes.__getitem__)[:1])
    if not held:
        raise DataError(
            f"None of the {len(persons)} annotated persons can be held out to measure with: "
            "without any one of them a tumour class would be in no scan to learn from."
        )
    train = sorted(key for key, scan in scans.items() if scan.person not in held)
    return train, sorted(key for key, scan in scans.items() if scan.person in held)


def _classes_without(scans: Mapping[str, Annotated], persons: Collection[str]) -> frozenset[int]:
    left = [scan.classes for scan in scans.values() if scan.person not in persons]
    return frozenset().union(*left) if left else frozenset({-1})


def rare_classes(
    scans: Mapping[str, Annotated], names: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Tell which classes are missing in some scans, as sentences, and which in all.

    Parameters
    ----------
    scans
        By key; their classes count from 1.
    names
        Of the classes 1, 2, ...

    Returns
    -------
    rare : list of str
        Sentences for the log.
    absent : list of str
        Names.
    """
    rare, absent = [], []
    for k, name in enumerate(names, 1):
        without = sorted(key for key, scan in scans.items() if k not in scan.classes)
        if len(without) == len(scans):
            absent.append(name)
        elif without:
            rare.append(
                f"Class {name!r} is in {len(scans) - len(without)} of {len(scans)} annotated "
                f"scans; it is missing in {', '.join(without[:5])}"
                f"{' and others' if len(without) > 5 else ''}."
            )
    return rare, absent
