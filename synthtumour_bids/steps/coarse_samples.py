"""Coarse samples of fabrication: annotated lesions in other brains, drawn in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthtumour_bids.bids.annotations import Annotation
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.pool import Result, map_items
from synthtumour_bids.settings import TEMPLATE, Settings
from synthtumour_bids.steps.annotated import load_ranks
from synthtumour_bids.steps.job import Job
from synthtumour_bids.steps.stored_scans import (
    StoredScan,
    load_lesion,
    store_images,
    store_label,
    store_lesion,
)

if TYPE_CHECKING:
    import nibabel as nib
    import numpy as np
    from numpy.typing import NDArray

NAME = "fabrication"
ANNOTATED_SHARE = 0.5  # of the samples, drawn into annotated scans beside the tumours they have


@dataclass(frozen=True)
class Source:
    """A scan to make samples from: where it was stored, and its lesions."""

    scan: StoredScan
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
    mixed
        Whether the host is an annotated scan, with a tumour of its own.
    wanted_ml, volume_ml
        Volume that was asked for, if one was, and that of the label, mL.
    parameters
        What ``coarse.render`` needs to make it again.
    """

    files: StoredScan
    purpose: str
    host: str
    lesion: str
    index: int
    wanted_ml: float | None
    volume_ml: float
    parameters: dict[str, Any]
    mixed: bool = False


@dataclass(frozen=True)
class StoreTask:
    """A preprocessed scan to bring to the common scale."""

    scan: Scan
    images: tuple[Path, ...]
    brain: Path
    annotation: Annotation | None
    folder: Path
    settings: Settings


@dataclass(frozen=True)
class DrawTask:
    """All samples to draw into one host; lesions of other scans are listed scan by scan."""

    host: StoredScan
    lesions: tuple[tuple[Path, ...], ...]
    purpose: str
    indices: tuple[int, ...]
    folder: Path
    settings: Settings


def store_sources(job: Job, scans: Sequence[Scan]) -> list[Result[StoreTask, Source]]:
    """Normalise hosts and annotated scans, and cut the lesions out of the latter."""
    folder = job.settings.work_dir / NAME / "scans"
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        StoreTask(
            scan,
            job.standard_images(scan),
            job.standard_mask(scan),
            job.selection.annotations.get(scan.key),
            folder,
            job.settings,
        )
        for scan in scans
    ]
    return map_items(
        store_source,
        tasks,
        nprocs=job.synthesis_processes,
        cluster=job.cluster,
        label="Fabrication: normalising",
        describe=lambda task: task.scan.key,
    )


def stored_name(scan: Scan) -> str:
    """Name that a scan is stored under."""
    return scan.key.replace("/", "-")


def store_source(task: StoreTask) -> Source:
    """Normalise one scan."""
    from synthtumour_bids.steps.volumes import load_volume
    from synthtumour_bids.synthesis.fabrication.lesions import cut_out
    from synthtumour_bids.synthesis.fabrication.scans import make_scan

    volumes = [load_volume(path) for path in task.images]
    first = volumes[0]
    drawn = task.annotation
    classes = None if drawn is None else load_ranks(task.scan, drawn, task.settings)
    brain = load_volume(task.brain).mask
    made, _ = make_scan(
        [volume.data for volume in volumes], brain, first.spacing, task.scan.uri, classes
    )
    name = stored_name(task.scan)
    where = (first.affine, task.folder, name)
    stored = StoredScan(
        name,
        store_images(made.images, *where, {"Source": task.scan.uri}),
        store_label(made.brain, *where, "brain"),
        None if drawn is None else store_label(made.classes, *where, "label"),
        task.scan.uri,
    )
    lesions = () if drawn is None else cut_out(made)
    paths = (task.folder / f"{name}_lesion{number}.npz" for number in range(len(lesions)))
    return Source(stored, tuple(map(store_lesion, lesions, paths)))


def draw_samples(
    job: Job, hosts: Sequence[Source], annotated: Sequence[Source], purpose: str, count: int
) -> list[Result[DrawTask, list[Sample]]]:
    """Draw `count` samples, shared out among tumour-free hosts and, half of them, annotated scans.

    All go into tumour-free hosts where no other scan has a lesion to put into an annotated one, and
    where certain volumes or places are asked for: a host's own tumour would not keep to them.
    """
    from synthtumour_bids.synthesis.hosts import samples_plan

    folder = job.settings.work_dir / NAME / "coarse"
    folder.mkdir(parents=True, exist_ok=True)
    asked = job.settings.lesion_volume or job.settings.lesion_place
    own = 0 if asked or len(annotated) < 2 else round(ANNOTATED_SHARE * count)
    tasks = []
    for sources, number in ((hosts, count - own), (annotated, own)):
        by_name = {source.scan.name: source.scan for source in sources}
        plan = samples_plan(by_name, number)
        for name, host in sorted(by_name.items()):
            indices = tuple(index for other, index in plan if other == name)
            lesions = tuple(source.lesions for source in annotated if source.scan is not host)
            if indices:
                tasks.append(DrawTask(host, lesions, purpose, indices, folder, job.settings))
    return map_items(
        draw,
        tasks,
        nprocs=job.synthesis_processes,
        cluster=job.cluster,
        label=f"Fabrication: coarse samples ({purpose})",
        describe=lambda task: task.host.name,
        stop_on_failure=job.settings.stop_on_first_crash,
    )


def draw(task: DrawTask) -> list[Sample]:
    """Draw one host's samples and write them with their parameters.

    Each annotated scan is as likely as any other, however many lesions it has; where volumes are
    asked for, lesions near the wanted one are, of whichever scan.
    """
    import numpy as np

    from synthtumour_bids.preprocessing.templates import standard_tissues
    from synthtumour_bids.steps.volumes import load_nifti
    from synthtumour_bids.synthesis.fabrication import coarse
    from synthtumour_bids.synthesis.fabrication.lesions import pick_lesion
    from synthtumour_bids.synthesis.seeds import stream

    settings = task.settings
    tissues = standard_tissues(settings.profile.resolution)
    host = task.host.load()
    grid = load_nifti(task.host.images[0])
    affine = grid.affine
    ranges, placement = coarse.DEFAULT_RANGES, tissues["gm"] + tissues["wm"]
    if settings.lesion_place is not None:
        placement = placement * load_place(settings.lesion_place, grid)
        ranges = replace(ranges, home=0.0)
    samples = []
    for index in task.indices:
        rng = stream(settings.seed, task.host.name, None, index, f"coarse-{task.purpose}")
        volume_ml = _wanted_volume(rng, settings.lesion_volume)
        if volume_ml is None:
            own = task.lesions[int(rng.integers(len(task.lesions)))]
        else:
            own = tuple(path for paths in task.lesions for path in paths)
        lesion = pick_lesion(rng, [load_lesion(path) for path in own], volume_ml)
        params = coarse.sample(
            rng, lesion, host, ranges=ranges, volume_ml=volume_ml, placement=placement
        )
        made = coarse.render(host, lesion, params)
        if np.array_equal(made.classes, host.classes):
            continue  # it lies outside of the brain wherever it was tried
        name = f"{task.purpose}-{task.host.name}-{index:04d}"
        made_ml = float(np.count_nonzero(made.classes) * np.prod(host.spacing)) / 1000
        sidecar = {
            "Host": task.host.source,
            "HostIsAnnotated": task.host.label is not None,
            "Index": index,
            "WantedVolumeML": volume_ml,
            "VolumeML": round(made_ml, 3),
            "Parameters": params.to_json(),
        }
        where = (affine, task.folder, name)
        files = StoredScan(
            name,
            store_images(made.images, *where, sidecar),
            task.host.brain,
            store_label(made.classes, *where, "label"),
            name,
        )
        samples.append(
            Sample(
                files,
                task.purpose,
                task.host.source,
                lesion.source,
                index,
                volume_ml,
                round(made_ml, 3),
                params.to_json(),
                mixed=task.host.label is not None,
            )
        )
    return samples


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
        When that is nowhere in the template's tissue, as with a mask of another space.
    """
    import numpy as np
    from nilearn.image import resample_to_img

    from synthtumour_bids.preprocessing.templates import standard_tissues
    from synthtumour_bids.steps.volumes import load_nifti

    mask = resample_to_img(
        load_nifti(path), grid, interpolation="nearest", force_resample=True, copy_header=True
    )
    place = np.asanyarray(mask.dataobj) > 0
    tissues = standard_tissues(float(grid.header.get_zooms()[0]))
    if not (place & (tissues["gm"] + tissues["wm"] > 0)).any():
        msg = (
            f"No voxel of {path} (--lesion-place) lies in brain tissue of {TEMPLATE}. It must be a "
            "3-D mask in that space, not 0 where lesions may lie."
        )
        raise DataError(msg)
    return place
