"""The tumour mask on the grid of the session's T1w image, where other tools want it."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from synthtumour_bids.bids.derivatives import remove_outputs, sidecar_path, write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.bids.t1w import T1w
from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.execution.temporary import safe_alias
from synthtumour_bids.files import fingerprint, hash_file, replacing
from synthtumour_bids.job import Job, skipped
from synthtumour_bids.layout import T1W_SPACE, Layout
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.preprocessing import geometry
from synthtumour_bids.preprocessing.points import scan_to_template
from synthtumour_bids.preprocessing.preflight import check
from synthtumour_bids.preprocessing.quality import unlike_the_others
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.spaces.levels import BORDER, levels
from synthtumour_bids.steps.memory import memory_gb
from synthtumour_bids.volumes import Volume, like_native, load_nifti, load_volume

LOGGER = logging.getLogger(__name__)
STEP = "t1w"
VERSION = "1"  # changes when the same images give another mask
MEMORY_GB = 2.0
LESION_MARGIN_MM = 3.0  # around the mask, where scan and T1w are not compared either
LEAST_IN_VIEW = 0.98  # share of the tumour's volume that must be in the T1w image's view

UNLIKE, CUT = "t1w_unlike", "t1w_cuts_tumour"


@dataclass(frozen=True)
class T1wTask:
    """One segmented scan, and the T1w image that goes with it."""

    scan: Scan
    t1w: T1w
    segmented: str  # fingerprint of the segmentation
    layout: Layout
    seed: int
    sloppy: bool

    def fingerprint(self) -> str:
        """Hash of all that the mask in T1w space depends on."""
        return fingerprint(
            version=VERSION,
            t1w=hash_file(self.t1w.image.path),
            others=[other.name for other in self.t1w.others],
            segmented=self.segmented,
            sources=[hash_file(path) for path in _sources(self.scan, self.layout)],
            seed=self.seed,
            sloppy=self.sloppy,
        )


def run(job: Job) -> list[ScanOutcome]:
    """Carry the masks of the selected scans to the grids of their T1w images.

    Scans that are T1w images themselves have theirs there already.
    """
    for scan in job.selected(Role.TUMOUR):
        if scan.key not in job.selection.t1w:
            job.ledger.clear_failure(STEP, scan.key)  # of an image that is gone
    tasks = [_task(job, scan) for scan in job.selected(Role.TUMOUR) if _is_wanted(job, scan)]
    todo = [task for task in tasks if not is_done(job, task.scan)]
    results = job.map(
        carry_to_t1w,
        todo,
        label="Carrying masks to T1w images",
        describe=lambda task: task.scan.key,
        memory_gb=memory_gb((task.t1w.image for task in todo), MEMORY_GB),
        omp_nthreads=job.settings.omp_nthreads,
    )
    done = [task.scan for task in tasks if task not in todo]
    return skipped(STEP, done) + job.record(STEP, results, lambda task: task.scan)


def _is_wanted(job: Job, scan: Scan) -> bool:
    t1w = job.selection.t1w.get(scan.key)
    if t1w is None or t1w.image.path == scan.path:
        return False
    return job.ledger.finished(Step.SEGMENT, scan.key) is not None


def _task(job: Job, scan: Scan) -> T1wTask:
    settings = job.settings
    stamp = job.ledger.finished(Step.SEGMENT, scan.key)
    return T1wTask(
        scan,
        job.selection.t1w[scan.key],
        "" if stamp is None else stamp.fingerprint,
        job.layout,
        settings.seed,
        settings.profile.coarse_registration,
    )


def is_done(job: Job, scan: Scan) -> bool:
    """Whether the mask of a scan lies on its T1w image, as both are now."""
    if not _is_wanted(job, scan) or job.ledger.finished(STEP, scan.key) is None:
        return False
    try:
        return job.ledger.is_done(STEP, scan.key, _task(job, scan).fingerprint())
    except OSError:  # which is said when it is worked on
        return False


def _sources(scan: Scan, layout: Layout) -> list[Path]:
    return [
        layout.native_image(scan),
        layout.native_brain(scan),
        layout.native(scan, label="L", suffix="mask"),
        layout.native(scan, label="L", suffix="probseg"),
    ]


def _outputs(scan: Scan, layout: Layout) -> list[Path]:
    return [
        layout.transform(scan, to=T1W_SPACE),
        layout.in_t1w(scan, label="L", suffix="mask"),
        layout.in_t1w(scan, label="L", suffix="probseg"),
    ]


def carry_to_t1w(task: T1wTask) -> None:
    """Register one scan to its T1w image, and write mask, probability and transform.

    Raises
    ------
    UnusableScanError
        When the T1w image cannot be used; the scan's own results stay.
    """
    scan, layout, image = task.scan, task.layout, task.t1w.image
    ledger = Ledger(layout.output_dir)
    ledger.clear(STEP, scan.key)
    remove_outputs(_outputs(scan, layout))  # lest old ones stay where this fails
    try:
        preflight = check(image.path)
    except UnusableScanError as error:
        msg = (
            f"The T1w image {image.path} cannot be used, so there is no mask on its grid. {error} "
            "A query t1w in the file of --bids-filter-file chooses another one."
        )
        raise UnusableScanError(msg) from error
    for finding in preflight.findings:
        LOGGER.warning("%s: %s", image.key, finding.message)
    current = task.fingerprint()
    transform, *paths = _outputs(scan, layout)
    information = _register(task, preflight.image, transform)
    carried = _carried(task, preflight.image, transform)
    mask = carried["mask"]
    native, there = load_volume(_sources(scan, layout)[2]), Volume.of(mask)
    measured: dict[str, Any] = {
        "t1w_information": round(information, 4),
        "volume_mL": _millilitres(there),
        "share_in_view": _share_in_view(native, preflight.image, transform),
    }
    fields = {
        **sidecar(sources=[scan.uri, image.uri], spatial_reference=image.uri),
        "T1wAlignment": "rigid, without the tumour and what is around it",
        "OtherT1wImages": [other.uri for other in task.t1w.others],
        "T1wQualityControl": measured,
    }
    for path, (suffix, values) in zip(paths, carried.items(), strict=True):
        # It says all that it could inherit from the sidecar of the scan's own grid.
        own = sidecar_path(layout.native(scan, label="L", suffix=suffix))
        write_image(path, values, json.loads(own.read_text(encoding="utf-8")) | fields)
    ledger.mark(
        STEP,
        scan.key,
        current,
        [*paths, transform],
        scan=scan,
        segmented=task.segmented,
        t1w=image.uri,
        others=[other.path.name for other in task.t1w.others],
        measured=measured,
    )


def _register(task: T1wTask, t1w: nib.Nifti1Image, transform: Path) -> float:
    """Find the way to the T1w image; return how much it tells of the scan (mutual information).

    A tumour looks different in both, and in one more than in the other: it has no say.
    """
    from synthtumour_bids.preprocessing import alignment
    from synthtumour_bids.preprocessing.rigid import align_rigidly, write_inverse

    head, brain, mask, _ = map(load_nifti, _sources(task.scan, task.layout))
    lesion = geometry.near(
        np.asarray(mask.dataobj) > 0, nib.affines.voxel_sizes(mask.affine), LESION_MARGIN_MM
    )
    where = (np.asarray(brain.dataobj) > 0) & ~lesion
    with (
        alignment.scratch(Path(tempfile.gettempdir())) as scratch,
        safe_alias(scratch) as folder,
    ):
        to_scan, information = align_rigidly(
            t1w,
            head,
            like_native(where, head, np.uint8),
            folder=folder,
            seed=task.seed,
            sloppy=task.sloppy,
        )
        with replacing(transform) as temporary, safe_alias(temporary.parent) as beside:
            write_inverse(Path(to_scan[0]), beside / temporary.name)
    return information


def _carried(task: T1wTask, t1w: nib.Nifti1Image, transform: Path) -> dict[str, nib.Nifti1Image]:
    """Mask and probability on the T1w image's grid, with its forms, by their suffixes."""
    from synthtumour_bids.spaces.carry import Leg, carry

    mask, probability = map(load_volume, _sources(task.scan, task.layout)[2:])
    way = [Leg(transform)]
    there = carry(probability.with_data(probability.data), t1w, way).clip(0, 1)
    level = carry(mask.with_data(levels(mask.mask, probability.data)), t1w, way)
    return {
        "mask": like_native((level >= BORDER).astype(np.uint8), t1w, np.uint8),
        "probseg": like_native(there, t1w, np.float32),
    }


def _millilitres(volume: Volume) -> float:
    return round(float(volume.mask.sum() * np.prod(volume.spacing)) / 1000, 3)


def _share_in_view(mask: Volume, t1w: nib.Nifti1Image, transform: Path) -> float | None:
    """Share of the tumour that lies in the T1w image's field of view; ``None`` without tumour."""
    indices = np.argwhere(mask.mask)
    if not len(indices):
        return None
    matrix = np.linalg.inv(t1w.affine) @ scan_to_template(transform) @ mask.affine
    there = indices @ matrix[:3, :3].T + matrix[:3, 3]
    seen = np.all((there >= -0.5) & (there <= np.array(t1w.shape) - 0.5), axis=1)
    return round(float(seen.mean()), 3)


# ---------------------------------------------------------------------- what was found


@dataclass(frozen=True)
class InT1w:
    """What became of a scan's mask on the grid of a T1w image.

    Attributes
    ----------
    t1w
        BIDS URI of the image.
    others
        File names of those that were not chosen.
    measured
        Mutual information, volume there, and the share of the tumour that the image has in view.
    flags
        What a person should look at; similarity is judged against all scans of the output folder.
    """

    t1w: str
    others: tuple[str, ...]
    measured: Mapping[str, Any]
    flags: tuple[str, ...]


def _segmented(ledger: Ledger, key: str) -> str | None:
    """Fingerprint of the segmentation that is there now."""
    stamp = ledger.read(Step.SEGMENT, key)
    return None if stamp is None else stamp.fingerprint


def in_t1w(ledger: Ledger) -> dict[str, InT1w]:
    """What became of all scans that were carried to a T1w image, by their keys."""
    stamps = {
        scan.key: stamp.details
        for scan, stamp in ledger.of_scans(STEP)
        if stamp.details.get("segmented") == _segmented(ledger, scan.key)
    }
    information = {key: float(one["measured"]["t1w_information"]) for key, one in stamps.items()}
    unlike = unlike_the_others(information)
    found = {}
    for key, one in stamps.items():
        seen = one["measured"]["share_in_view"]
        flags = ((UNLIKE, key in unlike), (CUT, seen is not None and seen < LEAST_IN_VIEW))
        found[key] = InT1w(
            one["t1w"],
            tuple(one["others"]),
            one["measured"],
            tuple(flag for flag, raised in flags if raised),
        )
    return found
