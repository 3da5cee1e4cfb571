"""The dataset of lesion masks that fMRIPrep and QSIPrep read beside the T1w images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from synthtumour_bids.bids.derivatives import remove_outputs, write_image
from synthtumour_bids.bids.lesion_roi import roi_path, write_roi_dataset
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.files import fingerprint, hash_file
from synthtumour_bids.job import Job
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps.t1w import STEP as T1W
from synthtumour_bids.volumes import like_native, load_nifti

STEP = "lesion_roi"
VERSION = "1"  # changes when the same masks give another one


def write(job: Job) -> list[ScanOutcome]:
    """Write one mask for each T1w image, of all scans that went to its grid.

    Several scans of one session give the voxels that are tumour in any of them. Scans of another
    session, which has no T1w image of its own, count only where the image's session has none.

    Returns
    -------
    What failed: the folder may be full, or no longer there.
    """
    groups = _by_t1w(job)
    remove_lost(job)
    root, settings = job.lesion_roi_dir, job.settings
    failures = []
    for t1w, masks in groups:
        try:
            write_roi_dataset(root, {"raw": settings.bids_dir}, anonymous=settings.anonymous_paths)
            _write_one(job, t1w, masks)
        except OSError as error:
            message = f"{roi_path(root, t1w)} (--lesion-roi-dir) cannot be written: {error}."
            failures.append(ScanOutcome(t1w.key, STEP, Status.FAILED, message, of_scan=False))
    return failures


def _by_t1w(job: Job) -> list[tuple[Scan, dict[Scan, Path]]]:
    """The masks on the grid of each T1w image, by their scans."""
    found: dict[str, tuple[Scan, dict[Scan, Path]]] = {}
    for scan in job.selected(Role.TUMOUR):
        chosen = job.selection.t1w.get(scan.key)
        if chosen is None:
            continue
        itself = chosen.image.path == scan.path
        step, where = (Step.SEGMENT, job.layout.native) if itself else (T1W, job.layout.in_t1w)
        mask = where(scan, label="L", suffix="mask")
        if job.ledger.finished(step, scan.key) is not None:
            found.setdefault(chosen.image.key, (chosen.image, {}))[1][scan] = mask
    return [(t1w, _of_session(t1w, masks)) for t1w, masks in found.values()]


def remove_lost(job: Job) -> None:
    """Remove the masks of T1w images that none of their scans lies on any more."""
    for scan in job.selected(Role.TUMOUR):
        chosen = job.selection.t1w.get(scan.key)
        if chosen is None or chosen.image.path == scan.path:
            continue
        path = roi_path(job.lesion_roi_dir, chosen.image)
        stamp = job.ledger.read(COHORT, _name(path))
        made_of = stamp.details.get("scans") if stamp else None
        if made_of and not any(job.ledger.finished(T1W, key) for key in made_of):
            remove_outputs([path])
            job.ledger.clear(COHORT, _name(path))


def _name(path: Path) -> str:
    """Name of the stamp of a mask."""
    return f"{STEP}-{path.name.partition('.')[0]}"


def _of_session(t1w: Scan, masks: Mapping[Scan, Path]) -> dict[Scan, Path]:
    own = {scan: mask for scan, mask in masks.items() if scan.session == t1w.session}
    return own or dict(masks)


def _write_one(job: Job, t1w: Scan, masks: Mapping[Scan, Path]) -> None:
    path = roi_path(job.lesion_roi_dir, t1w)
    current = fingerprint(
        version=VERSION,
        t1w=t1w.name,
        masks={scan.key: hash_file(mask) for scan, mask in masks.items()},
    )
    name = _name(path)
    own = all(scan.session == t1w.session for scan in masks)
    earlier = job.ledger.read(COHORT, name)
    if not own and path.is_file() and earlier is not None and earlier.details.get("own"):
        return  # a run of the image's own session has made it
    if path.is_file() and job.ledger.is_done(COHORT, name, current):
        return
    job.ledger.clear(COHORT, name)
    images = [load_nifti(mask) for mask in masks.values()]
    lesion = _union([np.asarray(image.dataobj) > 0 for image in images])
    if lesion.any():
        write_image(
            path,
            like_native(lesion.astype(np.uint8), images[0], np.uint8),
            sidecar(
                sources=[scan.uri for scan in masks],
                spatial_reference=t1w.uri,
                Type="Lesion",
                Description="Tumour, to be left out when the T1w image is fitted to a template",
            ),
        )
    else:  # there is nothing to leave out
        remove_outputs([path])
        return
    scans = [scan.key for scan in masks]
    job.ledger.mark(COHORT, name, current, [path], own=own, scans=scans)


def _union(masks: Sequence[np.ndarray]) -> np.ndarray:
    whole: np.ndarray = np.any(masks, axis=0)
    return whole
