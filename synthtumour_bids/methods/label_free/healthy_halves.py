"""Further hosts: brains made of the healthy halves of tumour scans, in the scanner's own look."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.methods.label_free.stage_one import Host
from synthtumour_bids.methods.predictions import predict
from synthtumour_bids.segmentation.model_card import Model
from synthtumour_bids.synthesis.healthy_half import healthy_half
from synthtumour_bids.volumes import load_volume

LOGGER = logging.getLogger(__name__)


def healthy_halves(job: Job, model: Model, tumours: Sequence[Scan]) -> list[Host]:
    """Mirror the healthy half of each tumour scan that has one, going by a network."""
    folder = job.layout.scratch(Scratch.HEALTHY_HALVES)
    found = []
    for result in predict(job, model, tumours):
        scan = result.item
        if result.value is None:
            continue
        volume = load_volume(job.layout.standard_image(scan))
        brain = load_volume(job.layout.standard_brain(scan)).mask
        half = healthy_half(volume.data, brain, load_volume(result.value).data, volume.spacing)
        if half is None:
            continue
        image, mask = (folder / f"{scan.slug}_{kind}.nii" for kind in ("image", "mask"))
        part = f"{half.side} half of the first axis, mirrored"
        write_image(image, volume.with_data(half.image), {"Host": scan.uri, "HostPart": part})
        write_image(mask, volume.with_data(half.brain.astype(np.uint8)), {})
        found.append(Host(scan, image, mask, part))
    LOGGER.info(
        "Healthy halves: %d of %d tumour scans give a further tumour-free brain.",
        len(found),
        len(tumours),
    )
    return found
