"""Coarse samples of fabrication: annotated lesions in other brains, drawn in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.processing import resample_from_to
from numpy.typing import NDArray

from synthtumour_bids.bids.annotations import Annotation
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError, advice
from synthtumour_bids.execution.pool import Result
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Layout, Scratch
from synthtumour_bids.methods.fabrication.annotations import load_class_numbers
from synthtumour_bids.methods.fabrication.stored_scans import (
    StoredScan,
    load_lesion,
    store_images,
    store_label,
    store_lesion,
)
from synthtumour_bids.preprocessing.reading import UnreadableError, read_volume
from synthtumour_bids.preprocessing.templates import standard_tissues
from synthtumour_bids.settings import TEMPLATE, Settings
from synthtumour_bids.synthesis.fabrication import coarse
from synthtumour_bids.synthesis.fabrication.coarse import CoarseParams
from synthtumour_bids.synthesis.fabrication.coarse_ranges import DEFAULT_RANGES
from synthtumour_bids.synthesis.fabrication.lesions import cut_out, pick_lesion
from synthtumour_bids.synthesis.fabrication.scans import BrainScan, make_scan
from synthtumour_bids.synthesis.hosts import samples_plan
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.volumes import load_nifti, load_volume

ANNOTATED_SHARE = 0.5  # of the samples, drawn into annotated scans beside the tumours they have
MEMORY_GB = 1.0  # of one process at 1 mm


@dataclass(frozen=True)
class Source:
    """A scan to make samples from: which one, where it was stored, and its lesions."""

    scan: Scan
    stored: StoredScan
    lesions: tuple[Path, ...]


@dataclass(frozen=True)
class Sample:
    """One sample.

    Attributes
    ----------
    files
        Image, brain and label.
    purpose
        ``train`` or ``validation``.
    host, lesion, index
        What it was made from, and which of the host's samples it is.
    wanted_ml, volume_ml
        Volume that was asked for, if one was, and that of the label, mL.
    parameters
        What ``coarse.render`` needs to make it again.
    mixed
        Whether the host is an annotated scan, with a tumour of its own.
    """

    files: StoredScan
    purpose: str
    host: str
    lesion: str
    index: int
    wanted_ml: float | None
    volume_ml: float
    parameters: CoarseParams
    mixed: bool = False


@dataclass(frozen=True)
class StoreTask:
    """A preprocessed scan to bring to the common scale."""

    scan: Scan
    layout: Layout
    annotation: Annotation | None
    folder: Path


@dataclass(frozen=True)
class DrawTask:
    """All samples to draw into one host, with lesions of other scans."""

    host: Source
    donors: tuple[Source, ...]
    purpose: str
    indices: tuple[int, ...]
    folder: Path
    settings: Settings


def store_sources(job: Job, scans: Sequence[Scan]) -> list[Result[StoreTask, Source]]:
    """Normalise hosts and annotated scans, and cut the lesions out of the latter."""
    folder = job.layout.scratch(Scratch.FABRICATION, "scans")
    annotations = job.selection.annotations
    return job.map(
        store_source,
        [StoreTask(scan, job.layout, annotations.get(scan.key), folder) for scan in scans],
        label="Fabrication: normalising",
        describe=lambda task: task.scan.key,
        memory_gb=MEMORY_GB,
        stoppable=False,
    )


def stored_name(scan: Scan) -> str:
    """Name that a scan is stored under."""
    return f"{scan.dataset_name}-{scan.name}"


def store_source(task: StoreTask) -> Source:
    """Normalise one scan."""
    scan, annotation = task.scan, task.annotation
    volumes = [load_volume(path) for path in task.layout.standard_images(scan)]
    first = volumes[0]
    classes = None
    if annotation is not None:
        classes = load_class_numbers(scan, annotation, task.layout)
    brain = load_volume(task.layout.standard_brain(scan)).mask
    made, _ = make_scan([v.data for v in volumes], brain, first.spacing, scan.uri, classes)
    name = stored_name(scan)
    where = (first.affine, task.folder, name)
    stored = StoredScan(
        name,
        store_images(made.images, *where, {"Source": scan.uri}),
        store_label(made.brain, *where, "brain"),
        None if annotation is None else store_label(made.classes, *where, "label"),
        scan.uri,
        frozenset((scan.person,)),
    )
    with advice("Leave the scan out of --annotated-dir, or correct its annotation."):
        lesions = () if annotation is None else cut_out(made)
    paths = (task.folder / f"{name}_lesion{number}.npz" for number in range(len(lesions)))
    return Source(scan, stored, tuple(map(store_lesion, lesions, paths)))


def draw_samples(
    job: Job, hosts: Sequence[Source], annotated: Sequence[Source], purpose: str, count: int
) -> list[Result[DrawTask, list[Sample]]]:
    """Draw `count` samples, shared out among tumour-free hosts and, half of them, annotated scans.

    All go into tumour-free hosts where no other scan has a lesion to put into an annotated one, and
    where certain volumes or places are asked for: a host's own tumour would not keep to them.
    """
    folder = job.layout.scratch(Scratch.FABRICATION, "coarse")
    asked = job.settings.lesion_volume or job.settings.lesion_place
    own = 0 if asked or len(annotated) < 2 else round(ANNOTATED_SHARE * count)
    tasks = []
    for sources, number in ((hosts, count - own), (annotated, own)):
        by_name = {source.stored.name: source for source in sources}
        plan = samples_plan(by_name, number)
        for name, host in sorted(by_name.items()):
            indices = tuple(index for other, index in plan if other == name)
            donors = tuple(source for source in annotated if source is not host)
            if indices:
                tasks.append(DrawTask(host, donors, purpose, indices, folder, job.settings))
    return job.map(
        draw,
        tasks,
        label=f"Fabrication: coarse samples ({purpose})",
        describe=lambda task: task.host.scan.key,
        memory_gb=MEMORY_GB,
    )


def draw(task: DrawTask) -> list[Sample]:
    """Draw one host's samples and write them with their parameters.

    Each annotated scan is as likely as any other, however many lesions it has; where volumes are
    asked for, lesions near the wanted one are, of whichever scan.
    """
    settings, stored = task.settings, task.host.stored
    tissues = standard_tissues(settings.profile.resolution)
    host, grid = stored.load(), load_nifti(stored.images[0])
    ranges, placement = DEFAULT_RANGES, tissues["gm"] + tissues["wm"]
    if settings.lesion_place is not None:
        placement = placement * load_place(settings.lesion_place, grid)
        ranges = replace(ranges, home=0.0)
    samples = []
    for index in task.indices:
        rng = stream(
            settings.seed, stored.name, None, index=index, purpose=f"coarse-{task.purpose}"
        )
        volume_ml = _wanted_volume(rng, settings.lesion_volume)
        donors = task.donors
        if volume_ml is None:
            donors = (donors[int(rng.integers(len(donors)))],)
        found = [(donor, load_lesion(path)) for donor in donors for path in donor.lesions]
        lesion = pick_lesion(rng, [one for _, one in found], volume_ml)
        params = coarse.sample(
            rng, host, lesion, ranges=ranges, volume_ml=volume_ml, placement=placement
        )
        made = coarse.render(host, lesion, params)
        if np.array_equal(made.classes, host.classes):
            continue  # it lies outside of the brain wherever it was tried
        donor = next(donor for donor, one in found if one is lesion)
        made_from = lesion.source, donor.scan.person
        samples.append(_store(task, index, made, made_from, params, volume_ml, grid.affine))
    return samples


def _store(
    task: DrawTask,
    index: int,
    made: BrainScan,
    lesion: tuple[str, str],
    params: CoarseParams,
    wanted_ml: float | None,
    affine: NDArray[np.float64],
) -> Sample:
    """Write one sample, with what it was made from and how; `lesion` is its source and person."""
    host = task.host
    name = f"{task.purpose}-{host.stored.name}-{index:04d}"
    volume_ml = round(float(np.count_nonzero(made.classes) * np.prod(made.spacing)) / 1000, 3)
    mixed = host.stored.label is not None
    sidecar = {
        "Host": host.stored.source,
        "HostIsAnnotated": mixed,
        "Index": index,
        "WantedVolumeML": wanted_ml,
        "VolumeML": volume_ml,
        "Parameters": params.to_json(),
    }
    where = (affine, task.folder, name)
    files = StoredScan(
        name,
        store_images(made.images, *where, sidecar),
        host.stored.brain,
        store_label(made.classes, *where, "label"),
        name,
        frozenset((host.scan.person, lesion[1])),
    )
    return Sample(
        files,
        task.purpose,
        host.stored.source,
        lesion[0],
        index,
        wanted_ml,
        volume_ml,
        params,
        mixed,
    )


def _wanted_volume(rng: np.random.Generator, limits: tuple[float, float] | None) -> float | None:
    """Volume to make a lesion of, mL, log-uniform; None where none is asked for."""
    if limits is None:
        return None
    low, high = limits
    return float(low * (high / low) ** rng.random())


def load_place(path: Path, grid: nib.Nifti1Image) -> NDArray[np.bool_]:
    """Where lesions may lie, on the template grid.

    Raises
    ------
    DataError
        When it cannot be read, or is nowhere in the template's tissue, as with a mask of another
        space.
    """
    try:
        mask = resample_from_to(read_volume(path), grid, order=0)
    except UnreadableError as error:
        raise DataError(f"The mask {path} (--lesion-place) cannot be used. {error}") from error
    place = np.asanyarray(mask.dataobj) > 0
    tissues = standard_tissues(float(grid.header.get_zooms()[0]))
    if not (place & (tissues["gm"] + tissues["wm"] > 0)).any():
        msg = (
            f"No voxel of {path} (--lesion-place) lies in brain tissue of {TEMPLATE}. It must be a "
            "3-D mask in that space, not 0 where lesions may lie."
        )
        raise DataError(msg)
    values: NDArray[np.bool_] = place
    return values
