"""Hosts of the senior's data: tumour-free scans, and brains made of healthy halves."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.pool import map_items
from synthtumour_bids.steps import synthesise
from synthtumour_bids.steps.job import Job
from synthtumour_bids.steps.predictions import predict

LOGGER = logging.getLogger(__name__)
NAME = "healthy_halves"


@dataclass(frozen=True)
class Host:
    """A tumour-free brain on the template grid: a tumour-free scan's, or made of a healthy half."""

    scan: Scan
    image: Path
    mask: Path
    part: str = synthesise.WHOLE


def whole_brains(job: Job, scans: Sequence[Scan]) -> list[Host]:
    """Tumour-free scans as hosts."""
    return [Host(scan, job.standard_image(scan), job.standard_mask(scan)) for scan in scans]


def healthy_halves(job: Job, tumours: Sequence[Scan]) -> list[Host]:
    """Mirror the healthy half of each tumour scan that has one, going by the junior."""
    import numpy as np

    from synthtumour_bids.bids.derivatives import write_image
    from synthtumour_bids.steps.volumes import load_volume
    from synthtumour_bids.synthesis.healthy_half import healthy_half

    folder = job.settings.work_dir / NAME
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for result in predict(job, "junior", tumours):
        scan = result.item
        if result.value is None:
            continue
        volume, probability = (
            load_volume(path) for path in (job.standard_image(scan), result.value)
        )
        brain = load_volume(job.standard_mask(scan)).mask
        half = healthy_half(volume.data, brain, probability.data, volume.spacing)
        if half is None:
            continue
        stem = scan.key.replace("/", "__")
        image, mask = folder / f"{stem}_image.nii", folder / f"{stem}_mask.nii"
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


def cases(job: Job, hosts: Sequence[Host], count: int) -> list[Any]:
    """Draw `count` stage-1 tumours into hosts, for training; none where there is no host.

    Raises
    ------
    DataError
        No sample could be drawn.
    """
    from synthtumour_bids.segmentation.cases import Case
    from synthtumour_bids.synthesis.stage_one import samples_plan

    if not hosts:
        return []
    plan = samples_plan([host.scan.key for host in hosts], count)
    tasks = [
        synthesise.Task(
            host.scan,
            host.image,
            host.mask,
            "train",
            tuple(index for key, index in plan if key == host.scan.key),
            job.settings.work_dir / NAME,
            job.settings,
            host.part,
        )
        for host in hosts
    ]
    results = map_items(
        synthesise.draw,
        [task for task in tasks if task.indices],
        nprocs=job.synthesis_processes,
        cluster=job.cluster,
        label="Stage 1 in healthy halves",
        describe=lambda task: task.host.key,
    )
    samples = [sample for result in results if result.value for sample in result.value]
    if not samples:
        raise DataError(f"No synthetic tumour could be drawn: {results[0].error}")
    return [
        Case(
            f"half-{sample['name']}",
            Path(sample["image"]),
            Path(sample["label"]),
            validation=False,
        )
        for sample in samples
    ]
