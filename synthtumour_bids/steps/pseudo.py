"""Pseudo-labels: the junior's segmentations of real tumours, with quality control."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.steps.class_images import labelled
from synthtumour_bids.steps.job import TEACHER, Job
from synthtumour_bids.steps.predictions import predict
from synthtumour_bids.steps.refining import evidence_of, refined

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labelled:
    """A tumour scan whose pseudo-label is good enough to learn from."""

    scan: Scan
    label: Path  # template grid, in the work folder


def cases(job: Job, tumours: Sequence[Scan]) -> list[Any]:
    """Pseudo-labelled scans as further training cases of a network that has others, too.

    The labels are the given teacher's, or else the junior's.
    """
    from synthtumour_bids.segmentation.cases import Case

    network = "junior" if job.settings.teacher is None else TEACHER
    return [
        Case(
            f"pseudo-{item.scan.key.replace('/', '-')}",
            job.standard_image(item.scan),
            item.label,
            validation=False,
            more=job.standard_images(item.scan)[1:],
        )
        for item in label(job, tumours, required=False, network=network)
    ]


def label(
    job: Job, tumours: Sequence[Scan], *, required: bool = True, network: str = "junior"
) -> list[Labelled]:
    """Segment tumour scans with a network and keep the labels that pass quality control.

    What the network says about the mirrored scan counts as the second opinion. Where the network
    has seen no annotation, the scan itself has a say in where both end.

    Writes ``models/pseudo_labels.tsv`` with every scan's figures and the reasons of refusals.

    Raises
    ------
    DataError
        When no scan at all got a usable pseudo-label, where they are `required`.
    """
    from dataclasses import replace

    from synthtumour_bids.bids.derivatives import write_image, write_tsv
    from synthtumour_bids.segmentation.uncertainty import other_opinion
    from synthtumour_bids.steps.volumes import load_volume
    from synthtumour_bids.synthesis.pseudo_labels import assess, criteria_for, select

    results = predict(job, network, tumours)
    unmirrored = predict(job, network, tumours, mirroring=False)
    evidence = evidence_of(job.model_dir(network))
    folder = job.settings.work_dir / "pseudo_labels"
    folder.mkdir(parents=True, exist_ok=True)
    assessed = {}
    for result, plain in zip(results, unmirrored, strict=True):
        if result.value is None or plain.value is None:
            continue
        scan = result.item
        probability = load_volume(result.value)
        brain = load_volume(job.standard_mask(scan)).mask
        mirrored = replace(
            probability, data=other_opinion(probability.data, load_volume(plain.value).data)
        )
        image = job.standard_image(scan)
        pseudo = assess(
            refined(probability, image, brain, evidence),
            brain,
            probability.spacing,
            reference_probability=refined(mirrored, image, brain, evidence),
            criteria=criteria_for(job.settings.lesion),
        )
        path = folder / f"{scan.key.replace('/', '__')}_label.nii"
        write_image(path, probability.with_data(labelled(pseudo.mask, result.value)), {})
        assessed[scan.key] = (scan, path, pseudo)
    selection = select({key: pseudo for key, (_, _, pseudo) in assessed.items()})
    accepted = selection.names
    if selection.note:
        LOGGER.warning("%s", selection.note)
    rows = [
        {
            "scan": key,
            "used": key in accepted,
            "accepted": pseudo.accepted,
            "reasons": ", ".join(pseudo.reasons) or "n/a",
            **pseudo.stats,
        }
        for key, (_, _, pseudo) in assessed.items()
    ]
    if not accepted and required:
        msg = (
            f"The junior found no usable tumour in any of {len(tumours)} tumour scans, so there "
            "is nothing for the senior to learn from. Look at models/junior/selection_curve.png; "
            "train longer (--profile), or check --contrast and --lesion."
        )
        raise DataError(msg)
    if rows:
        write_tsv(job.settings.output_dir / "models" / "pseudo_labels.tsv", rows, list(rows[0]))
    LOGGER.info("Pseudo-labels: %d of %d scans are learned from.", len(accepted), len(tumours))
    return [Labelled(*assessed[key][:2]) for key in sorted(accepted)]
