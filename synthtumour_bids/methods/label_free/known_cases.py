"""What a senior is calibrated on: cases whose tumours are known, as they were mixed or drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from synthtumour_bids.errors import DataError
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.label_free import stage_one, stage_two
from synthtumour_bids.methods.label_free.stage_two import MIXES
from synthtumour_bids.methods.pseudo_labels import KIND
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.expected_dice import FEWEST

ENOUGH = 2 * FEWEST  # mixes: tumours that are not found again tell nothing of the Dice
CASES, CALIBRATING = "cases.json", "calibrating.json"  # what a senior learns from, and what not


def keep(job: Job, cases: Sequence[Case]) -> None:
    """Keep the mixes that were made to calibrate, for `known_cases`."""
    write_json(_folder(job) / CALIBRATING, [case.to_json() for case in cases])


def forget(job: Job) -> None:
    """Remove both lists of cases, before their files are written over."""
    for name in (CASES, CALIBRATING):
        (_folder(job) / name).unlink(missing_ok=True)


def known_cases(job: Job) -> list[Case]:
    """Mixes that were made to calibrate; without them, those that validated the senior.

    Where these are few, or all have one person's tumour, shifted synthetic tumours as well: how
    often one tumour is found again says little of others. Mixes that validate are fainter than
    scans on purpose, and shifted tumours are drawn to be harder than real ones, so that less is
    expected of a mask by them than it holds. Pseudo-labels, which nobody knows to be right, are
    left out, and so is what is gone.
    """
    made, samples = _there(_stored(job, CALIBRATING)), _samples(job)
    alike = _have_one_tumour(made, hosts=samples)
    if len(made) >= FEWEST and not alike:
        return made
    cases = {case.name: case for case in (*_stored(job, CASES), *samples)}
    known = [
        case
        for case in _there(list(cases.values()))
        if case.validation and case.kind not in (KIND, Case.kind)  # 0.1.0 did not tell them apart
    ]
    mixes = [case for case in known if case.kind == MIXES]
    if alike:
        return [*made, *(case for case in known if case.kind != MIXES)]
    before = mixes if len(mixes) >= ENOUGH else known
    return max(made, before, key=len)


def _have_one_tumour(mixes: Sequence[Case], hosts: Sequence[Case]) -> bool:
    """Whether the tumours of all mixes are one person's; mixes may share a host as well."""
    if not mixes:
        return False
    shared = frozenset.intersection(*(mix.persons for mix in mixes))
    return not shared <= {person for host in hosts for person in host.persons}


def _samples(job: Job) -> list[Case]:
    """Stage-1 samples, which are drawn into all hosts of mixes; none where they are gone."""
    try:
        drawn = stage_one.read_samples(job) if lineage.lie_here(job, stage_one.NAME) else []
    except DataError:
        drawn = []
    return [sample.case() for sample in drawn]


def _folder(job: Job) -> Path:
    return job.layout.scratch(Scratch.STAGE_TWO)


def _stored(job: Job, name: str) -> list[Case]:
    path = _folder(job) / name
    there = path.is_file() and lineage.lie_here(job, stage_two.NAME)
    stored = json.loads(path.read_text(encoding="utf-8")) if there else []
    return [Case.from_json(one) for one in stored]


def _there(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if all(file.is_file() for file in (*case.images, case.label))]
