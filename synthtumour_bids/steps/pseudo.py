"""Pseudo-labels: the junior's segmentations of real tumours, with quality control."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.steps.job import Job
from synthtumour_bids.steps.predictions import predict

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labelled:
    """A tumour scan whose pseudo-label is good enough to learn from."""

    scan: Scan
    label: Path  # template grid, in the work folder


def label(job: Job, tumours: Sequence[Scan]) -> list[Labelled]:
    """Segment tumour scans with the junior and keep the labels that pass quality control.

    What the junior says about the mirrored scan counts as the second opinion.

    Writes ``models/pseudo_labels.tsv`` with every scan's figures and the reasons of refusals.

    Raises
    ------
    DataError
        When no scan at all got a usable pseudo-label.
    """
    import numpy as np

    from synthtumour_bids.bids.derivatives import write_image, write_tsv
    from synthtumour_bids.steps.volumes import load_volume
    from synthtumour_bids.synthesis.pseudo_labels import assess, select

    results = predict(job, "junior", tumours)
    unmirrored = predict(job, "junior", tumours, mirroring=False)
    folder = job.settings.work_dir / "pseudo_labels"
    folder.mkdir(parents=True, exist_ok=True)
    assessed = {}
    for result, plain in zip(results, unmirrored, strict=True):
        if result.value is None or plain.value is None:
            continue
        scan = result.item
        probability = load_volume(result.value)
        brain = load_volume(job.standard_mask(scan)).mask
        # The mean of both opinions and one of them give the other.
        mirrored = 2 * probability.data - load_volume(plain.value).data
        pseudo = assess(
            probability.data, brain, probability.spacing, reference_probability=mirrored
        )
        path = folder / f"{scan.key.replace('/', '__')}_label.nii"
        write_image(path, probability.with_data(pseudo.mask.astype(np.uint8)), {})
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
    if not accepted:
        msg = (
            f"The junior found no usable tumour in any of {len(tumours)} tumour scans, so there "
            "is nothing for the senior to learn from. Look at models/junior/selection_curve.png; "
            "train longer (--profile), or check --contrast and --lesion."
        )
        raise DataError(msg)
    write_tsv(job.settings.output_dir / "models" / "pseudo_labels.tsv", rows, list(rows[0]))
    LOGGER.info("Pseudo-labels: %d of %d scans are learned from.", len(accepted), len(tumours))
    return [Labelled(*assessed[key][:2]) for key in sorted(accepted)]
