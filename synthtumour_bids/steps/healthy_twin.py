"""``--healthy-twin``: scans with the tumour replaced by tissue that could have been there."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.bids.derivatives import remove_outputs, sidecar_path, write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.bids.t1w import T1w
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.files import fingerprint
from synthtumour_bids.job import Job, skipped
from synthtumour_bids.layout import T1W_SPACE, Layout
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.preprocessing import geometry
from synthtumour_bids.preprocessing.points import scan_to_template
from synthtumour_bids.preprocessing.preflight import check
from synthtumour_bids.preprocessing.stripped import stripped_mask
from synthtumour_bids.segmentation.midplane import Midplane
from synthtumour_bids.segmentation.mirrored import Guide, Source, guide_from
from synthtumour_bids.segmentation.other_side import MAD_TO_SD, midplane_of
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps.memory import memory_gb
from synthtumour_bids.steps.t1w import STEP as T1W
from synthtumour_bids.synthesis.filling import fill
from synthtumour_bids.volumes import Volume, like_native, load_nifti, load_volume

LOGGER = logging.getLogger(__name__)
STEP = "healthy_twin"
VERSION = "1"  # changes when the same masks give other images
MEMORY_GB = 2.0
MARGIN_MM = 3.0  # around the mask, that is replaced, too: a tumour's border is no healthy tissue
LEAST_COVERED = 0.7  # of the hole by the other side; below, another brain is looked for
MOST_HOSTS = 8  # tumour-free brains that are compared
OTHER_SIDE = "the other side of the brain"


@dataclass(frozen=True)
class TwinTask:
    """One segmented scan, its T1w image if its mask lies on that, and brains without a tumour."""

    scan: Scan
    t1w: T1w | None
    hosts: tuple[Scan, ...]
    current: str
    layout: Layout


def run(job: Job) -> list[ScanOutcome]:
    """Fill the selected scans that are segmented, and their T1w images."""
    if not job.settings.healthy_twin:
        return []
    hosts = tuple(job.preprocessed(Role.TUMOURFREE)[:MOST_HOSTS])
    tasks = [task for scan in job.selected(Role.TUMOUR) if (task := _task(job, scan, hosts))]
    todo = [task for task in tasks if not job.ledger.is_done(STEP, task.scan.key, task.current)]
    results = job.map(
        make_twin,
        todo,
        label="Replacing tumours",
        describe=lambda task: task.scan.key,
        memory_gb=memory_gb((task.scan for task in todo), MEMORY_GB),
        omp_nthreads=job.settings.omp_nthreads,
    )
    done = [task.scan for task in tasks if task not in todo]
    return skipped(STEP, done) + job.record(STEP, results, lambda task: task.scan)


def _task(job: Job, scan: Scan, hosts: tuple[Scan, ...]) -> TwinTask | None:
    segmented = job.ledger.finished(Step.SEGMENT, scan.key)
    if segmented is None:
        return None
    on_t1w = job.ledger.finished(T1W, scan.key)
    fits = on_t1w is not None and on_t1w.details.get("segmented") == segmented.fingerprint
    t1w = job.selection.t1w.get(scan.key) if fits else None
    current = fingerprint(
        version=VERSION,
        segmented=segmented.fingerprint,
        t1w=on_t1w.fingerprint if on_t1w is not None and t1w is not None else None,
    )
    return TwinTask(scan, t1w, hosts, current, job.layout)


def make_twin(task: TwinTask) -> None:
    """Fill one scan and its T1w image; where no tumour was found, there is nothing to fill."""
    scan, layout, ledger = task.scan, task.layout, Ledger(task.layout.output_dir)
    ledger.clear(STEP, scan.key)
    paths = layout.twin(scan), layout.twin_in_t1w(scan)
    remove_outputs(paths)  # lest old ones stay where this fails
    mask = load_volume(layout.native(scan, label="L", suffix="mask"))
    written = []
    if mask.mask.any():
        plane = _fill_scan(task, mask)
        written.append(paths[0])
        if task.t1w is not None and _fill_t1w(task, task.t1w, plane):
            written.append(paths[1])
    ledger.mark(STEP, scan.key, task.current, written, scan=scan)


def _fill_scan(task: TwinTask, mask: Volume) -> Midplane:
    """Fill the scan; return the plane that mirrors its brain."""
    scan, layout = task.scan, task.layout
    path = layout.native_image(scan)
    head, brain = load_volume(path), load_volume(layout.native_brain(scan)).mask
    to_template = scan_to_template(layout.transform(scan)) @ head.affine
    plane = midplane_of(head.data, brain, to_template)
    hole = _hole(mask, brain)
    guide = guide_from(
        Source(head.data, brain & ~hole, plane.reflection(to_template)),
        head.data,
        brain,
        hole,
        head.spacing,
    )
    origin = OTHER_SIDE
    if guide.covers(hole) < LEAST_COVERED:
        found = [
            (other, host.uri)
            for host, source in _sources(task, head, brain & ~hole, to_template)
            if (other := guide_from(source, head.data, brain, hole, head.spacing)).covers(hole)
            > guide.covers(hole)
        ]
        if found:
            guide, origin = max(found, key=lambda one: one[0].likeness)
    filled = fill(head.data, hole, brain, guide.values, guide.known, head.spacing)
    native = json.loads(sidecar_path(path).read_text(encoding="utf-8"))
    told = sidecar(
        sources=[scan.uri],
        SkullStripped=native.get("SkullStripped"),
        **_told(guide, hole, head, origin),
    )
    write_image(layout.twin(scan), like_native(filled, load_nifti(path), np.float32), told)
    return plane


def _fill_t1w(task: TwinTask, t1w: T1w, plane: Midplane) -> bool:
    """Fill the T1w image, unless it does not have the tumour in view; tell whether it was filled.

    Brain and midplane are known by way of the scan.
    """
    scan, layout = task.scan, task.layout
    image = check(t1w.image.path).image
    head = Volume.of(image)
    brain = load_volume(layout.native_brain(scan))
    to_scan = np.linalg.inv(scan_to_template(layout.transform(scan, to=T1W_SPACE))) @ head.affine
    there: NDArray[np.bool_] = (
        geometry.resample(brain.data, brain.affine, head.data.shape, to_scan, to_faces=True) >= 0.5
    )
    hole = _hole(load_volume(layout.in_t1w(scan, label="L", suffix="mask")), there)
    if not hole.any():
        return False
    to_template = scan_to_template(layout.transform(scan)) @ to_scan
    source = Source(head.data, there & ~hole, plane.reflection(to_template))
    guide = guide_from(source, head.data, there, hole, head.spacing)
    filled = fill(head.data, hole, there, guide.values, guide.known, head.spacing)
    told = sidecar(
        sources=[t1w.image.uri, scan.uri],
        spatial_reference=t1w.image.uri,
        SkullStripped=stripped_mask(head.data, np.array(head.spacing)) is not None,
        **_told(guide, hole, head, OTHER_SIDE),
    )
    write_image(layout.twin_in_t1w(scan), like_native(filled, image, np.float32), told)
    return True


def _hole(mask: Volume, brain: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What is replaced: the mask and a margin, in the brain."""
    near: NDArray[np.bool_] = geometry.near(mask.mask, mask.spacing, MARGIN_MM)
    return near & brain


def _sources(
    task: TwinTask, head: Volume, healthy: NDArray[np.bool_], to_template: NDArray[np.float64]
) -> Iterator[tuple[Scan, Source]]:
    """Tumour-free brains, each by way of the template, in the scan's units."""
    layout = task.layout
    middle, spread = _scale(head.data[healthy])
    for host in task.hosts:
        image, brain = (
            load_volume(path) for path in (layout.native_image(host), layout.native_brain(host))
        )
        host_to_template = scan_to_template(layout.transform(host)) @ image.affine
        way = np.linalg.inv(host_to_template) @ to_template
        own_middle, own_spread = _scale(image.data[brain.mask])
        values = (image.data - own_middle) / own_spread * spread + middle
        yield host, Source(values.astype(np.float32), brain.mask, way)


def _scale(values: NDArray[np.float32]) -> tuple[float, float]:
    middle = float(np.median(values))
    spread = MAD_TO_SD * float(np.median(np.abs(values - middle)))
    return middle, spread if spread > 0 else 1.0


def _told(guide: Guide, hole: NDArray[np.bool_], head: Volume, origin: str) -> Mapping[str, Any]:
    """Fields of the sidecar."""
    voxel_ml = float(np.prod(head.spacing)) / 1000
    return {
        "Artificial": True,
        "Description": "Artificial: the tumour was replaced by tissue that could have been there. "
        "No measurement, and no statement about this person's health",
        "Filling": {
            "From": origin,
            "VolumeML": round(float(hole.sum()) * voxel_ml, 3),
            "MarginMM": MARGIN_MM,
            "Covered": round(guide.covers(hole), 3),
            "Likeness": round(guide.likeness, 3),
            "BroadShare": round(guide.shares[0], 3),
            "FineShare": round(guide.shares[1], 3),
        },
    }
