"""Which tumour-free persons teach, which choose the epoch, and which calibrate the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthtumour_bids.synthesis.hosts import split_hosts

ENOUGH = 24  # persons that teach and choose, before anybody calibrates
CALIBRATING_SHARE = 1 / 3  # of all tumour-free persons


@dataclass(frozen=True)
class Roles:
    """Keys of tumour-free scans, sorted, by what their persons do.

    Attributes
    ----------
    hosts
        Synthetic and real tumours are put into these.
    selection
        Those in these choose the epoch.
    calibration
        These are segmented, to know what a brain without a tumour looks like.
    """

    hosts: tuple[str, ...]
    selection: tuple[str, ...]
    calibration: tuple[str, ...] = ()


def assign_roles(
    groups: Sequence[tuple[str, str]],
    fraction_shifted: float,
    *,
    seed: int,
    held_out: int,
    fewest: int,
) -> Roles:
    """Share tumour-free scans out, person by person: hosts first, then selection, then calibration.

    Nobody is set aside to calibrate where those who then could would still be too few, or where
    fewer than `ENOUGH` persons would be left to learn from.

    Parameters
    ----------
    groups
        (scan key, person) pairs; all scans of one person have one role.
    fraction_shifted
        Share of the hosts' scans that choose the epoch.
    seed
        Fixes the choice; the order of `groups` does not matter.
    held_out
        Further tumour-free persons, who calibrate in any case.
    fewest
        Persons that a calibration needs.

    Raises
    ------
    ValueError
        See :func:`.hosts.split_hosts`.
    """
    people = sorted({person for _, person in groups})
    wanted = max(fewest, round(CALIBRATING_SHARE * (len(people) + held_out))) - held_out
    aside: set[str] = set()
    if 0 < wanted <= len(people) - ENOUGH:
        sequence = np.random.SeedSequence([seed, len(people), fewest])
        order = np.random.Generator(np.random.PCG64(sequence)).permutation(len(people))
        aside = {people[index] for index in order[:wanted]}
    learning = [(key, person) for key, person in groups if person not in aside]
    hosts, selection = split_hosts(learning, fraction_shifted, seed=seed)
    calibration = sorted(key for key, person in groups if person in aside)
    return Roles(tuple(hosts), tuple(selection), tuple(calibration))
