"""Validation cases whose tumours are known because they were drawn or mixed."""

from __future__ import annotations

import json

from synthtumour_bids.errors import DataError
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.methods.label_free import stage_one
from synthtumour_bids.methods.pseudo_labels import KIND
from synthtumour_bids.segmentation.cases import Case


def known_cases(job: Job) -> list[Case]:
    """Mixes that validated the senior, and shifted synthetic tumours; those still there.

    Pseudo-labels, which nobody knows to be right, are left out.
    """
    path = job.layout.scratch(Scratch.STAGE_TWO) / "cases.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    try:
        samples = [sample.case() for sample in stage_one.read_samples(job)]
    except DataError:
        samples = []
    cases = {case.name: case for case in (*map(Case.from_json, stored), *samples)}
    return [
        case
        for case in cases.values()
        if case.validation
        and case.kind not in (KIND, Case.kind)  # 0.1.0 did not tell them apart
        and all(file.is_file() for file in (*case.images, case.label))
    ]
