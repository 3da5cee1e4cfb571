"""Coarse samples of fabrication: annotated lesions in tumour-free brains, drawn in parallel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.annotations import Annotation
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.pool import Result, map_items
from synthtumour_bids.settings import Settings
from synthtumour_bids.steps.annotated import load_ranks
from synthtumour_bids.steps.job import Job
from synthtumour_bids.steps.stored_scans import (
    StoredScan,
    load_lesion,
    store_images,
    store_label,
    store_lesion,
)

NAME = "fabrication"


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
    parameters
        What ``coarse.render`` needs to make it again.
    """

    files: StoredScan
    purpose: str
    host: str
    lesion: str
    index: int
    parameters: dict[str, Any]


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
    """All samples to draw into one host; lesions are listed scan by scan."""

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
        nprocs=job.settings.nprocs,
        cluster=job.cluster,
        label="Fabrication: normalising",
        describe=lambda task: task.scan.key,
    )


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
    name = task.scan.key.replace("/", "-")
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
    """Draw `count` samples, shared out among the hosts."""
    from synthtumour_bids.synthesis.hosts import samples_plan

    folder = job.settings.work_dir / NAME / "coarse"
    folder.mkdir(parents=True, exist_ok=True)
    by_name = {source.scan.name: source.scan for source in hosts}
    plan = samples_plan(by_name, count)
    lesions = tuple(source.lesions for source in annotated)
    tasks = [
        DrawTask(host, lesions, purpose, indices, folder, job.settings)
        for name, host in sorted(by_name.items())
        if (indices := tuple(index for other, index in plan if other == name))
    ]
    return map_items(
        draw,
        tasks,
        nprocs=job.settings.nprocs,
        cluster=job.cluster,
        label=f"Fabrication: coarse samples ({purpose})",
        describe=lambda task: task.host.name,
        stop_on_failure=job.settings.stop_on_first_crash,
    )


def draw(task: DrawTask) -> list[Sample]:
    """Draw one host's samples and write them with their parameters.

    Each annotated scan is as likely as any other, however many lesions it has.
    """
    from synthtumour_bids.preprocessing.templates import standard_tissues
    from synthtumour_bids.steps.volumes import load_nifti
    from synthtumour_bids.synthesis.fabrication import coarse
    from synthtumour_bids.synthesis.fabrication.lesions import pick_lesion
    from synthtumour_bids.synthesis.seeds import stream

    settings = task.settings
    tissues = standard_tissues(settings.profile.resolution)
    host = task.host.load()
    affine = load_nifti(task.host.images[0]).affine
    samples = []
    for index in task.indices:
        rng = stream(settings.seed, task.host.name, None, index, f"coarse-{task.purpose}")
        own = task.lesions[int(rng.integers(len(task.lesions)))]
        lesion = pick_lesion(rng, [load_lesion(path) for path in own])
        params = coarse.sample(rng, lesion, host, placement=tissues["gm"] + tissues["wm"])
        made = coarse.render(host, lesion, params)
        if not made.classes.any():
            continue  # it lies outside of the brain wherever it was tried
        name = f"{task.purpose}-{task.host.name}-{index:04d}"
        sidecar = {"Host": task.host.source, "Index": index, "Parameters": params.to_json()}
        where = (affine, task.folder, name)
        files = StoredScan(
            name,
            store_images(made.images, *where, sidecar),
            task.host.brain,
            store_label(made.classes, *where, "label"),
            name,
        )
        samples.append(
            Sample(files, task.purpose, task.host.source, lesion.source, index, params.to_json())
        )
    return samples
