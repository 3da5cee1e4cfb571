"""Further hosts: brains made of the healthy halves of tumour scans, in the scanner's own look."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.methods.label_free.hosts import Host
from synthtumour_bids.methods.predictions import predict
from synthtumour_bids.methods.pseudo_labels import Labelled
from synthtumour_bids.segmentation.model_card import Model
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.healthy_half import mirror_healthy_half
from synthtumour_bids.volumes import load_volume

LOGGER = logging.getLogger(__name__)


def healthy_halves(job: Job, model: Model, tumours: Sequence[Labelled]) -> list[Host]:
    """Mirror the healthy half of each tumour scan that has one, going by a network.

    What a person has drawn on a scan is tumour, whether the network sees it or not.
    """
    folder = job.layout.scratch(Scratch.HEALTHY_HALVES)
    found = []
    results = predict(job, model, [item.scan for item in tumours])
    for item, result in zip(tumours, results, strict=True):
        scan = item.scan
        if result.value is None:
            continue
        probability = load_volume(result.value).data
        if item.corrected:
            probability = np.maximum(probability, load_volume(item.label).mask)
        volume = load_volume(job.layout.standard_image(scan))
        mask = load_volume(job.layout.standard_brain(scan)).mask
        brain = Brain(volume.data, mask, volume.spacing)
        half = mirror_healthy_half(brain, probability)
        if half is None:
            continue
        paths = [folder / f"{scan.slug}_{kind}.nii" for kind in ("image", "mask")]
        part = f"{half.side} half of the first axis, mirrored"
        sidecar = {"Host": scan.uri, "HostPart": part}
        write_image(paths[0], volume.with_data(half.brain.image), sidecar)
        write_image(paths[1], volume.with_data(half.brain.mask.astype(np.uint8)), {})
        found.append(Host(scan, paths[0], paths[1], part))
    LOGGER.info(
        "Healthy halves: %d of %d tumour scans give a further tumour-free brain.",
        len(found),
        len(tumours),
    )
    return found
