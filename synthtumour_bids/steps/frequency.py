"""How often tumours lie where: a map of the cohort on the template grid."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.bids.images import MAIN
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.errors import DataError
from synthtumour_bids.files import fingerprint
from synthtumour_bids.job import Job
from synthtumour_bids.ledger import COHORT, Ledger
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.reports.frequency import frequency_mosaic
from synthtumour_bids.settings import TEMPLATE, Role, Step
from synthtumour_bids.steps.damage import naming_damage
from synthtumour_bids.steps.locations import AFFINE
from synthtumour_bids.steps.roles_today import roles_today
from synthtumour_bids.steps.standard_spaces import DEFORMABLE, deformed
from synthtumour_bids.volumes import load_volume, template_image

# Of whom, the stamp's fingerprint, the kind of transform, the scan's key.
_Mask = tuple[str, str, str, str]

LOGGER = logging.getLogger(__name__)
STEP = "frequency"
KINDS = (AFFINE, DEFORMABLE)
VERSION = "1"  # changes when the same masks give another map


def write(job: Job) -> None:
    """Write the map and its picture where masks are new, whichever job made them.

    Every participant counts once; of several scans, a voxel counts that is tumour in any.
    """
    layout, ledger = job.layout, job.ledger
    masks = dict(_masks(job))
    current = fingerprint(version=VERSION, masks={str(key): one[1] for key, one in masks.items()})
    if not masks or ledger.is_done(COHORT, STEP, current):
        return
    template = standard_brain(layout.resolution)
    count = np.zeros(template.shape, np.int32)
    people = {subject for subject, *_ in masks.values()}
    for person in people:
        paths = [path for path, (subject, *_) in masks.items() if subject == person]
        try:
            found = [_load(ledger, one, masks[one][-1]) for one in paths]
        except FileNotFoundError:  # another job is replacing it, and makes the map after that
            return
        except DataError as error:
            LOGGER.warning("There is no new map of how often tumours lie where. %s", error)
            return
        count += np.any(found, axis=0)
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
        Transform={kind: sum(one[2] == kind for one in masks.values()) for kind in KINDS},
    )
    ledger.clear(COHORT, STEP)
    write_image(image, share, fields)
    title = f"Share of {len(people)} participants with a tumour"
    frequency_mosaic(template, share, picture, title)
    ledger.mark(COHORT, STEP, current, [image, picture])


def _load(ledger: Ledger, mask: Path, key: str) -> NDArray[np.bool_]:
    path = ledger.output_dir / mask
    with naming_damage(ledger, key, [path]):
        return load_volume(path).mask


def _masks(job: Job) -> Iterator[tuple[Path, _Mask]]:
    """Template masks of the main dataset's tumours; those that brains were bent for go first."""
    ledger, roles = job.ledger, roles_today(job)
    entities = job.layout.template_entities.items()
    grid = "_".join([*(f"{key}-{value}" for key, value in entities), "label-L"])
    affine, bent = f"_{grid}_mask.nii.gz", f"_{grid}_desc-{DEFORMABLE}_mask.nii.gz"
    for scan, stamp in ledger.of_scans(Step.SEGMENT):
        other = deformed(ledger, scan.key, TEMPLATE)
        kinds = [(stamp, affine, AFFINE)]
        if other is not None:
            kinds.insert(0, (other, bent, DEFORMABLE))
        found = [
            (Path(output), (scan.subject, one.fingerprint, kind, scan.key))
            for one, ending, kind in kinds
            for output in one.outputs
            if output.endswith(ending) and (ledger.output_dir / output).is_file()
        ]
        role = roles.get(scan.key, stamp.details.get("role", Role.TUMOUR))
        if scan.dataset == MAIN and found and role == Role.TUMOUR:
            yield found[0]
