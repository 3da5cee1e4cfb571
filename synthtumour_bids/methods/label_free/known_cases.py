"""Validation cases whose tumours are known because they were mixed or drawn."""

from __future__ import annotations

import json

from synthtumour_bids.errors import DataError
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.methods.label_free import stage_one
from synthtumour_bids.methods.label_free.stage_two import MIXES
from synthtumour_bids.methods.pseudo_labels import KIND
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.expected_dice import FEWEST

ENOUGH = 2 * FEWEST  # mixes: tumours that are not found again tell nothing of the Dice


def known_cases(job: Job) -> list[Case]:
    """Mixes that validated the senior; where these are few, shifted synthetic tumours as well.

    Mixes have the voxels of real tumours; those that are shifted are drawn to be harder than real
    ones. Pseudo-labels, which nobody knows to be right, are left out, and so is what is gone.
    """
    path = job.layout.scratch(Scratch.STAGE_TWO) / "cases.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    try:
        samples = [sample.case() for sample in stage_one.read_samples(job)]
    except DataError:
        samples = []
    cases = {case.name: case for case in (*map(Case.from_json, stored), *samples)}
    known = [
        case
        for case in cases.values()
        if case.validation
        and case.kind not in (KIND, Case.kind)  # 0.1.0 did not tell them apart
        and all(file.is_file() for file in (*case.images, case.label))
    ]
    mixes = [case for case in known if case.kind == MIXES]
    return mixes if len(mixes) >= ENOUGH else known
