"""Step 2: synthetic tumours are drawn into tumour-free brains (stage 1).

Training samples and shifted-validation samples come from disjoint persons.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.bids.files import write_json
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.pool import map_items
from synthtumour_bids.execution.stamps import fingerprint
from synthtumour_bids.settings import Role, Settings
from synthtumour_bids.steps import cohort
from synthtumour_bids.steps.job import Job
from synthtumour_bids.steps.pictures import draw_samples

LOGGER = logging.getLogger(__name__)
STEP = "synthesise"
NAME = "stage_one"
WHOLE = "whole brain"
PURPOSES = ("train", "shifted")
REFERENCE_SHARE = 0.5  # of the hosts, for shifted validation: as published


@dataclass(frozen=True)
class Task:
    """All samples to draw into one host."""

    host: Scan
    image: Path
    mask: Path
    purpose: str  # "train" or "shifted"
    indices: tuple[int, ...]
    folder: Path
    settings: Settings
    part: str = WHOLE  # of the host


def samples_file(job: Job) -> Path:
    """List of all stage-1 samples: name, image, label, purpose."""
    return job.settings.work_dir / NAME / "samples.json"


def settings_print(job: Job) -> str:
    """Fingerprint of all settings that stage 1 depends on."""
    from synthtumour_bids.synthesis.priors import load_priors

    settings = job.settings
    return fingerprint(
        version=__version__,
        preset=settings.preset,
        lesion=settings.lesion,
        contrast=settings.contrast,
        priors=asdict(load_priors(settings.lesion, settings.contrast, settings.priors)),
        seed=settings.seed,
        resolution=settings.profile.resolution,
        n_train=settings.profile.n_train,
        n_shifted=settings.profile.n_shifted,
    )


def _samples(job: Job) -> list[dict[str, Any]]:
    path = samples_file(job)
    if not path.is_file():
        msg = f"The stage-1 samples are not in {path.parent}; run the synthesise step first."
        raise DataError(msg)
    return json.loads(path.read_text())


def sides(job: Job) -> tuple[list[Scan], list[Scan]]:
    """Hosts of the training samples and of the shifted-validation samples, as they were drawn.

    Raises
    ------
    DataError
        When the samples were not made yet.
    """
    purposes = {sample["host"]: sample["purpose"] for sample in _samples(job)}
    train, shifted = (
        [scan for scan in job.preprocessed(Role.TUMOURFREE) if purposes.get(scan.key) == purpose]
        for purpose in PURPOSES
    )
    return train, shifted


def junior_cases(job: Job) -> list[Any]:
    """Cases of the junior.

    Raises
    ------
    DataError
        When the samples were not made yet.
    """
    from synthtumour_bids.segmentation.cases import Case

    return [
        Case(
            sample["name"],
            Path(sample["image"]),
            Path(sample["label"]),
            validation=sample["purpose"] == "shifted",
        )
        for sample in _samples(job)
    ]


def run(job: Job) -> list[ScanOutcome]:
    """Draw the stage-1 samples, unless they are there or both networks are trained already.

    The junior learns from them; so does the senior, and with few tumour scans they validate it.
    Where a junior is finished, its hosts alone are drawn into.

    Raises
    ------
    DataError
        With fewer than two tumour-free persons preprocessed: one side must train, one validate.
    """
    from synthtumour_bids.steps import train

    print_ = settings_print(job)
    trained = all(train.is_finished(job, name) for name in ("junior", "senior"))
    if trained:
        return [ScanOutcome(NAME, STEP, Status.SKIPPED, of_scan=False)]
    tasks = _tasks(job)
    hosts = [task.host for task in tasks]
    if cohort.up_to_date(job, NAME, print_, hosts) and samples_file(job).is_file():
        return [ScanOutcome(NAME, STEP, Status.SKIPPED, of_scan=False)]
    (job.settings.work_dir / NAME).mkdir(parents=True, exist_ok=True)
    results = map_items(
        draw,
        tasks,
        nprocs=job.synthesis_processes,
        cluster=job.cluster,
        label="Stage 1",
        describe=lambda task: task.host.key,
        stop_on_failure=job.settings.stop_on_first_crash,
    )
    samples = [sample for result in results if result.value for sample in result.value]
    for purpose in PURPOSES:
        if not any(sample["purpose"] == purpose for sample in samples):
            msg = f"Stage 1 made no {purpose} sample; see the failures above."
            raise DataError(msg)
    path = samples_file(job)
    write_json(path, samples)
    draw_samples(
        [(Path(item["image"]), Path(item["label"]), item["purpose"]) for item in samples],
        job.settings.output_dir / "models" / "stage_one.png",
        "Stage 1: synthetic tumours in tumour-free brains",
    )
    if not any(result.failed for result in results):
        cohort.mark(job, NAME, print_, cohort.members(job, hosts), [path])
    return job.record(STEP, results, lambda task: task.host.key)


def wanted_hosts(job: Job) -> list[Scan]:
    """Hosts that samples are to be drawn into: with few samples asked for, not all there are."""
    return [task.host for task in _tasks(job)]


def _tasks(job: Job) -> list[Task]:
    from synthtumour_bids.steps import train as training
    from synthtumour_bids.synthesis.stage_one import samples_plan, split_hosts

    settings = job.settings
    hosts = training.known_to_junior(job, job.preprocessed(Role.TUMOURFREE))
    persons = {f"{scan.dataset_name}/{scan.subject}" for scan in hosts}
    if len(persons) < 2:
        msg = (
            "Stage 1 needs at least 2 tumour-free participants, one to train on and one to "
            f"validate on; {len(persons)} preprocessed at {settings.profile.resolution:g} mm "
            f"(profile {settings.profile.name}) under {settings.output_dir}. Run --steps "
            "preprocess with this --profile first, name more with --tumourfree-dir, or mark them "
            "in participants.tsv (--group-column)."
        )
        raise DataError(msg)
    validated = training.shifted_for_junior(job)
    if validated is None:
        train, shifted = split_hosts(
            [(scan.key, f"{scan.dataset_name}/{scan.subject}") for scan in hosts],
            **({"fraction_shifted": REFERENCE_SHARE} if settings.preset == "reference" else {}),
            seed=settings.seed,
        )
    else:  # those without a sample are gone, and fewer would be split in another way
        shifted = sorted(scan.key for scan in hosts if scan.key in validated)
        train = sorted(scan.key for scan in hosts if scan.key not in validated)
    folder = settings.work_dir / NAME
    by_key = {scan.key: scan for scan in hosts}
    tasks = []
    for purpose, keys, count in (
        ("train", train, settings.profile.n_train),
        ("shifted", shifted, settings.profile.n_shifted),
    ):
        plan = samples_plan(keys, count)
        for key in keys:
            host = by_key[key]
            indices = tuple(index for other, index in plan if other == key)
            if indices:
                tasks.append(
                    Task(
                        host,
                        job.standard_image(host),
                        job.standard_mask(host),
                        purpose,
                        indices,
                        folder,
                        settings,
                    )
                )
    return tasks


def draw(task: Task) -> list[dict[str, Any]]:
    """Draw one host's samples and write them with their parameters.

    Returns
    -------
    One entry a sample: name, image, label, purpose, host.
    """
    import numpy as np

    from synthtumour_bids.bids.derivatives import write_image
    from synthtumour_bids.preprocessing.templates import standard_tissues
    from synthtumour_bids.steps.volumes import load_volume
    from synthtumour_bids.synthesis.priors import load_priors
    from synthtumour_bids.synthesis.seeds import stream
    from synthtumour_bids.synthesis.stage_one import synthesise

    settings = task.settings
    priors = load_priors(settings.lesion, settings.contrast, settings.priors)
    host = load_volume(task.image)
    brain = load_volume(task.mask).mask
    tissues = standard_tissues(settings.profile.resolution)
    samples = []
    for index in task.indices:
        rng = stream(settings.seed, task.host.key, task.host.session, index, task.purpose)
        sample = synthesise(
            host.data,
            brain,
            host.spacing,
            priors,
            rng,
            preset=settings.preset,
            purpose=task.purpose,
            placement=tissues["gm"] + tissues["wm"],
            white_matter=tissues["wm"],
        )
        # Not compressed: these files live for one training, and zipping takes longer than drawing.
        name = f"{task.purpose}-{task.host.dataset_name}-{task.host.stem}-{index:04d}"
        paths = {
            "image": task.folder / f"{name}_image.nii",
            "label": task.folder / f"{name}_label.nii",
        }
        write_image(
            paths["image"],
            host.with_data(sample.image),
            {
                "Host": task.host.uri,
                "HostPart": task.part,
                "Index": index,
                "Parameters": sample.to_json(),
            },
        )
        write_image(paths["label"], host.with_data(sample.label.astype(np.uint8)), {})
        samples.append(
            {
                "name": name,
                "purpose": task.purpose,
                "host": task.host.key,
                **{key: str(path) for key, path in paths.items()},
            }
        )
    return samples
