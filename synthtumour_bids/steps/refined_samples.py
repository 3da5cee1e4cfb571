"""Refined samples of fabrication: the GAN, its verdict on each sample, and what is kept."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.files import write_json
from synthtumour_bids.execution.progress import Progress
from synthtumour_bids.execution.stamps import hash_file
from synthtumour_bids.settings import Settings
from synthtumour_bids.steps.coarse_samples import NAME, Sample
from synthtumour_bids.steps.job import Job
from synthtumour_bids.steps.stored_scans import StoredScan, StoredScans, store_images

LOGGER = logging.getLogger(__name__)
EVALUATED = 12  # held-out samples that every evaluation of the GAN refines


@dataclass(frozen=True)
class Sides:
    """What one side of the split, training or validation, has."""

    annotated: tuple[StoredScan, ...]
    hosts: tuple[StoredScan, ...]
    samples: tuple[Sample, ...]


def folder(job: Job) -> Path:
    """Where the GAN and the record of all samples are kept."""
    return job.settings.output_dir / "models" / "fabricator"


def gan_settings(settings: Settings) -> Any:
    """Sizes and schedule of the GAN for a run."""
    from synthtumour_bids.synthesis.fabrication.gan_settings import GAN_SETTINGS

    return dataclasses.replace(GAN_SETTINGS[settings.profile.name], seed=settings.seed)


def train_fabricator(job: Job, train: Sides, held_out: Sides, classes: int, recipe: str) -> Any:
    """Train the GAN, or go on with it.

    Raises
    ------
    StoppedError
        When the run was asked to stop; the state is saved.
    """
    from synthtumour_bids.execution.stopping import stop_signal
    from synthtumour_bids.segmentation.environment import (
        loader_workers,
        resolve_device,
        torch_threads,
    )
    from synthtumour_bids.synthesis.fabrication.gan_training import TrainingData
    from synthtumour_bids.synthesis.fabrication.gan_training import train as train_gan

    settings = gan_settings(job.settings)
    device = resolve_device(job.settings.device)
    x, y, z = settings.patch
    step_bytes = 12 * x * y * z * settings.batch * settings.accumulate
    workers = 0 if device.type == "cpu" else loader_workers(job.settings.nprocs, device, step_bytes)
    evaluated = held_out.samples[:: max(1, len(held_out.samples) // EVALUATED)][:EVALUATED]
    data = TrainingData(
        real=StoredScans(train.annotated),
        real_held_out=StoredScans(held_out.annotated),
        hosts=StoredScans(train.hosts),
        coarse=StoredScans([sample.files for sample in train.samples]),
        coarse_held_out=StoredScans([sample.files for sample in evaluated]),
        classes=classes,
    )
    LOGGER.info(
        "Fabrication: the GAN learns from %d annotated scans, %d hosts and %d coarse samples.",
        len(data.real),
        len(data.hosts),
        len(data.coarse),
    )
    with stop_signal() as stop, torch_threads(job.settings.nprocs):
        return train_gan(
            data,
            dataclasses.replace(settings, workers=workers),
            folder(job),
            recipe=recipe,
            device=str(device),
            should_stop=stop.is_set,
        )


def refine_samples(job: Job, fabricator: Any, samples: Sequence[Sample]) -> list[StoredScan]:
    """Refine every sample, keep what the networks accept, and record all verdicts.

    Writes ``samples.json``, from which, with ``fabricator.pt`` and the preprocessed scans, every
    sample can be made again, and ``quality.json``, how many were dropped and why.

    Returns
    -------
    The refined samples to learn from; none where refinement did not help, as they would be the
    coarse ones again.
    """
    from synthtumour_bids.segmentation.environment import torch_threads
    from synthtumour_bids.steps.volumes import load_nifti
    from synthtumour_bids.synthesis.fabrication.quality import report

    target = job.settings.work_dir / NAME / "refined"
    target.mkdir(parents=True, exist_ok=True)
    weights = hash_file(folder(job) / "fabricator.pt")[:16]
    kept, records, verdicts = [], [], []
    with (
        Progress("Fabrication: refining", len(samples)) as progress,
        torch_threads(job.settings.nprocs),
    ):
        for sample in samples:
            refined = fabricator.refine(sample.files.load())
            verdict = fabricator.judge(refined)
            verdicts.append(verdict)
            record = {
                "Name": sample.files.name,
                "Purpose": sample.purpose,
                "Host": sample.host,
                "Lesion": sample.lesion,
                "Index": sample.index,
                "Accepted": verdict.accepted,
                "Reasons": list(verdict.reasons),
                "Scores": dataclasses.asdict(verdict.scores),
                "Parameters": sample.parameters,
            }
            records.append(record)
            if verdict.accepted and fabricator.helps:
                name = f"refined-{sample.files.name}"
                affine = load_nifti(sample.files.images[0]).affine
                images = store_images(
                    refined.images, affine, target, name, {**record, "Generator": weights}
                )
                kept.append(dataclasses.replace(sample.files, name=name, images=images))
            progress.advance(sample.files.name)
    summary = report(verdicts, fabricator.thresholds)
    write_json(folder(job) / "samples.json", {"Generator": weights, "Samples": records})
    write_json(
        folder(job) / "quality.json",
        {
            "Judged": summary.judged,
            "Dropped": summary.dropped,
            "Rate": round(summary.rate, 4),
            "Reasons": summary.reasons,
            "Thresholds": dataclasses.asdict(summary.thresholds),
            "RefinementHelps": fabricator.helps,
            "BestStep": fabricator.best_step,
            "History": list(fabricator.history),
            "GanSettings": fabricator.settings.to_json(),
            "Generator": weights,
        },
    )
    LOGGER.info(
        "Fabrication: %d of %d refined samples dropped by the quality control.",
        summary.dropped,
        summary.judged,
    )
    if not fabricator.helps:
        LOGGER.warning(
            "Refinement did not bring the samples nearer to real lesions, so the networks learn "
            "from the coarse ones alone."
        )
    return kept
