"""How often tumours lie where: a map of the cohort on the template grid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.bids.images import MAIN
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.files import fingerprint
from synthtumour_bids.job import Job
from synthtumour_bids.ledger import COHORT, Ledger
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.reports.frequency import frequency_mosaic
from synthtumour_bids.settings import TEMPLATE, Step
from synthtumour_bids.steps.locations import AFFINE
from synthtumour_bids.volumes import load_volume, template_image

STEP = "frequency"
VERSION = "1"  # changes when the same masks give another map


def write(job: Job) -> None:
    """Write the map and its picture where masks are new, whichever job made them.

    Every participant counts once; of several scans, a voxel counts that is tumour in any.
    """
    layout, ledger = job.layout, job.ledger
    masks = dict(_masks(ledger, layout.template_entities))
    current = fingerprint(version=VERSION, masks={str(key): one[1] for key, one in masks.items()})
    if not masks or ledger.is_done(COHORT, STEP, current):
        return
    template = standard_brain(layout.resolution)
    count = np.zeros(template.shape, np.int32)
    people = {subject for subject, _ in masks.values()}
    for person in people:
        paths = [path for path, (subject, _) in masks.items() if subject == person]
        count += np.any([load_volume(layout.output_dir / one).mask for one in paths], axis=0)
    share = template_image((count / len(people)).astype(np.float32), template.affine)
    image = layout.group_image(desc="frequency", suffix="probseg")
    picture = image.with_name(image.name.replace(".nii.gz", ".png"))
    fields = sidecar(
        sources=[f"bids::{path}" for path in masks],
        space=TEMPLATE,
        resolution=layout.resolution,
        Description="Share of the participants with a tumour at a voxel, 0 to 1",
        Participants=len(people),
        Scans=len(masks),
        Transform=AFFINE,
    )
    ledger.clear(COHORT, STEP)
    write_image(image, share, fields)
    title = f"Share of {len(people)} participants with a tumour"
    frequency_mosaic(template, share, picture, title)
    ledger.mark(COHORT, STEP, current, [image, picture])


def _masks(ledger: Ledger, entities: dict[str, str]) -> Iterator[tuple[Path, tuple[str, str]]]:
    """Template masks of the main dataset: where, of whom, and the stamp's fingerprint."""
    ending = "_".join([*(f"{key}-{value}" for key, value in entities.items()), "label-L_mask"])
    for scan, stamp in ledger.of_scans(Step.SEGMENT):
        for output in stamp.outputs:
            is_mask = output.endswith(f"_{ending}.nii.gz")
            if scan.dataset == MAIN and is_mask and (ledger.output_dir / output).is_file():
                yield Path(output), (scan.subject, stamp.fingerprint)
