"""Refined samples of fabrication: the GAN, its verdict on each sample, and what is kept."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthtumour_bids.execution.progress import Progress
from synthtumour_bids.execution.stopping import stop_signal
from synthtumour_bids.files import hash_file, write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.methods.fabrication.coarse_samples import Sample
from synthtumour_bids.methods.fabrication.stored_scans import StoredScan, StoredScans, store_images
from synthtumour_bids.settings import Settings
from synthtumour_bids.synthesis.fabrication.gan_settings import GAN_SETTINGS, GanSettings
from synthtumour_bids.synthesis.fabrication.quality import Verdict, report
from synthtumour_bids.volumes import load_nifti

if TYPE_CHECKING:
    from synthtumour_bids.synthesis.fabrication.fabricator import Fabricator

LOGGER = logging.getLogger(__name__)
EVALUATED = 12  # held-out samples that every evaluation of the GAN refines
FEWEST_JUDGES = 3  # held-out persons; the lesions of fewer cannot tell refinement from chance
QUALITY = "quality.json"
SAMPLES = "samples.json"
OF_A_GAN = ("fabricator.pt", "checkpoint_latest.pt", "curve.png")
TRAINED = "GanTrained"  # in quality.json; not there before it could be left out


@dataclass(frozen=True)
class Side:
    """What one side of the split, training or validation, has."""

    annotated: tuple[StoredScan, ...]
    hosts: tuple[StoredScan, ...]
    samples: tuple[Sample, ...]

    @property
    def to_refine(self) -> tuple[Sample, ...]:
        """Samples whose only tumour is the one that was put in."""
        return tuple(sample for sample in self.samples if not sample.mixed)

    @property
    def one_a_person(self) -> tuple[StoredScan, ...]:
        """The first annotated scan of each person, by name."""
        first: dict[frozenset[str], StoredScan] = {}
        for scan in sorted(self.annotated, key=lambda scan: scan.name):
            first.setdefault(scan.persons, scan)
        return tuple(first.values())


def gan_settings(settings: Settings) -> GanSettings:
    """Sizes and schedule of the GAN for a run."""
    return dataclasses.replace(GAN_SETTINGS[settings.profile.name], seed=settings.seed)


def train_fabricator(
    job: Job, train: Side, held_out: Side, classes: int, recipe: str
) -> Fabricator | None:
    """Train the GAN, or go on with it; ``None`` where nobody could tell whether it helps.

    Of each person held out the first scan alone, by name, is a real lesion to judge by: the
    jackknife and the conformal thresholds count on lesions that know nothing of each other.

    Raises
    ------
    StoppedError
        When the run was asked to stop; the state is saved.
    """
    judges = held_out.one_a_person
    if len(judges) < FEWEST_JUDGES:
        LOGGER.info(
            "Fabrication: no refinement by the GAN. Whether it helps is judged by annotated "
            "persons with about a quarter of the scans, held out for it: %d of %d persons here, "
            "where %d are needed.",
            len(judges),
            len(judges) + len(train.one_a_person),
            FEWEST_JUDGES,
        )
        for name in OF_A_GAN:  # trained with more of them
            (job.layout.fabricator / name).unlink(missing_ok=True)
        return None
    from synthtumour_bids.segmentation.environment import (
        loader_workers,
        resolve_device,
        torch_threads,
    )
    from synthtumour_bids.synthesis.fabrication.gan_training import TrainingData
    from synthtumour_bids.synthesis.fabrication.gan_training import train as train_gan
    from synthtumour_bids.synthesis.fabrication.patches import step_bytes

    settings = gan_settings(job.settings)
    device = resolve_device(job.settings.device)
    waiting = step_bytes(settings, len(train.annotated[0].images))
    workers = 0 if device.type == "cpu" else loader_workers(job.settings.nprocs, device, waiting)
    judged = held_out.to_refine
    evaluated = judged[:: max(1, len(judged) // EVALUATED)][:EVALUATED]
    data = TrainingData(
        real=StoredScans(train.annotated),
        real_held_out=StoredScans(judges),
        hosts=StoredScans(train.hosts),
        coarse=StoredScans([sample.files for sample in train.to_refine]),
        coarse_held_out=StoredScans([sample.files for sample in evaluated]),
        classes=classes,
    )
    LOGGER.info(
        "Fabrication: the GAN learns from %d annotated scans, %d hosts and %d coarse samples.",
        len(data.real),
        len(data.hosts),
        len(data.coarse),
    )
    job.rest()
    with (
        stop_signal() as stop,
        torch_threads(job.settings.nprocs),
        Progress("Fabrication: GAN step", settings.warm_up + settings.steps) as bar,
    ):
        return train_gan(
            data,
            dataclasses.replace(settings, workers=workers),
            job.layout.fabricator,
            recipe=recipe,
            device=str(device),
            should_stop=stop.is_set,
            progress=bar.come_to,
        )


def refine_samples(
    job: Job, fabricator: Fabricator | None, samples: Sequence[Sample]
) -> list[StoredScan]:
    """Refine samples, keep what the networks accept, and record all verdicts.

    Samples in annotated scans stay as they are: a generator cannot tell the tumour that was put in
    from the host's own, which needs no refinement.

    Writes ``samples.json``, from which, with ``fabricator.pt`` and the preprocessed scans, every
    sample can be made again, and ``quality.json``, how many were dropped and why.

    Without a GAN nothing is refined and nothing judged. Nor is it where refinement did not help:
    the generator that was kept is the identity then, and the discriminator is untrained.

    Returns
    -------
    The refined samples to learn from; none where refinement did not help.
    """
    folder = job.layout.fabricator
    weights = hash_file(folder / "fabricator.pt")[:16] if fabricator else None
    useful = fabricator if fabricator and fabricator.helps else None
    rough = [sample for sample in samples if useful and not sample.mixed]
    refined = _refine(job, useful, rough, weights) if useful and weights else []
    verdicts = {sample.files.name: one.verdict for sample, one in zip(rough, refined, strict=True)}
    records = [_record(sample, verdicts.get(sample.files.name)) for sample in samples]
    quality = {
        **quality_record(fabricator, list(verdicts.values()), weights),
        "InAnnotatedScans": sum(sample.mixed for sample in samples),
    }
    write_json(folder / SAMPLES, {"Generator": weights, "Samples": records})
    write_json(folder / QUALITY, quality)
    if useful:
        LOGGER.info(
            "Fabrication: %d of %d refined samples dropped by the quality control.",
            quality["Dropped"],
            quality["Judged"],
        )
    elif fabricator:
        LOGGER.warning(
            "Refinement did not bring the samples nearer to real lesions, so no refined sample is "
            "used: the networks learn from the annotated scans and the coarse samples."
        )
    return [one.files for one in refined if one.files is not None]


def read_quality(models_dir: Path) -> dict[str, Any] | None:
    """Rates of the quality control, as recorded with the models; ``None`` without fabrication."""
    path = models_dir / "fabricator" / QUALITY
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def read_records(models_dir: Path) -> list[dict[str, Any]]:
    """How all samples were made, as recorded with the models."""
    path = models_dir / "fabricator" / SAMPLES
    records: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["Samples"]
    return records


@dataclass(frozen=True)
class _Refined:
    """Verdict on a refined sample, and its files if it is kept."""

    verdict: Verdict
    files: StoredScan | None


def _refine(
    job: Job, fabricator: Fabricator, samples: Sequence[Sample], weights: str
) -> list[_Refined]:
    from synthtumour_bids.segmentation.environment import torch_threads

    target = job.layout.scratch(Scratch.FABRICATION, "refined")
    results: list[_Refined] = []
    if not samples:
        return results
    with (
        Progress("Fabrication: refining", len(samples)) as progress,
        torch_threads(job.settings.nprocs),
    ):
        for sample in samples:
            refined = fabricator.refine(sample.files.load())
            verdict = fabricator.judge(refined)
            files = None
            if verdict.accepted:
                name = f"refined-{sample.files.name}"
                affine = load_nifti(sample.files.images[0]).affine
                sidecar = {**_record(sample, verdict), "Generator": weights}
                images = store_images(refined.images, affine, target, name, sidecar)
                files = dataclasses.replace(sample.files, name=name, images=images)
            results.append(_Refined(verdict, files))
            progress.advance(sample.files.name)
    return results


def _record(sample: Sample, verdict: Verdict | None = None) -> dict[str, Any]:
    """How one sample was made, and, where it was judged, the verdict."""
    judged: Mapping[str, Any] = {}
    if verdict is not None:
        judged = {
            "Accepted": verdict.accepted,
            "Reasons": list(verdict.reasons),
            "Scores": dataclasses.asdict(verdict.scores),
        }
    return {
        "Name": sample.files.name,
        "Purpose": sample.purpose,
        "Host": sample.host,
        "HostIsAnnotated": sample.mixed,
        "Lesion": sample.lesion,
        "Index": sample.index,
        "WantedVolumeML": sample.wanted_ml,
        "VolumeML": sample.volume_ml,
        **judged,
        "Parameters": sample.parameters.to_json(),
    }


def quality_record(
    fabricator: Fabricator | None, verdicts: Sequence[Verdict], weights: str | None
) -> dict[str, Any]:
    """Content of ``quality.json``.

    Without a GAN it says no more than that. Where refinement did not help, ``Judged``,
    ``Dropped``, ``Rate``, ``Reasons`` and ``Thresholds`` are ``None``: no verdict of an untrained
    discriminator is told.
    """
    judged: dict[str, Any] = dict.fromkeys(("Judged", "Dropped", "Rate", "Reasons", "Thresholds"))
    if fabricator is None:
        return {**judged, "RefinementHelps": False, TRAINED: False}
    if fabricator.helps:
        summary = report(verdicts, fabricator.thresholds)
        judged = {
            "Judged": summary.judged,
            "Dropped": summary.dropped,
            "Rate": round(summary.rate, 4),
            "Reasons": summary.reasons,
            "Thresholds": dataclasses.asdict(summary.thresholds),
        }
    return {
        **judged,
        "RefinementHelps": fabricator.helps,
        TRAINED: True,
        "BestStep": fabricator.best_step,
        "History": list(fabricator.history),
        "GanSettings": fabricator.settings.to_json(),
        "Generator": weights,
    }
