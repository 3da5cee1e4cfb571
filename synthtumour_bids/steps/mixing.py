"""Stage 2: real tumour voxels, cut out by the pseudo-labels, mixed into tumour-free brains."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.files import write_json
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.pool import map_items
from synthtumour_bids.execution.stamps import fingerprint
from synthtumour_bids.settings import Settings
from synthtumour_bids.steps import cohort, halves, pseudo, synthesise
from synthtumour_bids.steps.halves import Host
from synthtumour_bids.steps.job import Job
from synthtumour_bids.steps.pictures import draw_samples
from synthtumour_bids.steps.predictions import model_print
from synthtumour_bids.steps.pseudo import Labelled

LOGGER = logging.getLogger(__name__)
NAME = "stage_two"
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Task:
    """One mix: which tumour goes into which host."""

    name: str
    tumour: Labelled
    host: Host
    index: int
    paths: tuple[Path, Path, Path, Path, Path]  # tumour image, label, brain; host image, brain
    folder: Path
    settings: Settings


def split_tumours(labelled: Sequence[Labelled], seed: int) -> tuple[list[Labelled], list[Labelled]]:
    """Part pseudo-labelled scans into training and validation, persons kept together.

    With fewer than 4 persons all of them train.
    """
    from synthtumour_bids.synthesis.stage_one import split_hosts

    persons = {item.scan.subject for item in labelled}
    if len(persons) < 4:
        return list(labelled), []
    train, _ = split_hosts(
        [(item.scan.key, item.scan.subject) for item in labelled],
        VALIDATION_SHARE,
        seed=seed,
    )
    return (
        [item for item in labelled if item.scan.key in train],
        [item for item in labelled if item.scan.key not in train],
    )


def senior_cases(job: Job, settings_print: str, tumours: Sequence[Scan]) -> list[Any]:
    """Pseudo-label, mix, and list the senior's cases; what an earlier run made is kept."""
    from synthtumour_bids.segmentation.cases import Case

    junior = model_print(job.settings.output_dir / "models" / "junior")
    print_ = fingerprint(settings=settings_print, junior=junior)
    path = job.settings.work_dir / NAME / "cases.json"
    train, shifted = synthesise.sides(job)
    used = [*train, *shifted, *tumours]
    if not (cohort.up_to_date(job, NAME, print_, used) and path.is_file()):
        made = _make_cases(job, pseudo.label(job, tumours), (train, shifted))
        write_json(path, [case.to_json() for case in made])
        cohort.mark(job, NAME, print_, cohort.members(job, used), [path])
    return [Case.from_json(case) for case in json.loads(path.read_text())]


def _make_cases(
    job: Job, labelled: Sequence[Labelled], hosts: tuple[Sequence[Scan], Sequence[Scan]]
) -> list[Any]:
    """Make the senior's cases.

    Training: mixes of training tumours into training hosts, and the training tumours' own scans
    with their pseudo-labels, once each: drawn as often as the published third of all, they kept
    the senior where the junior is. The default preset adds the healthy halves of these scans to
    the hosts, stage-1 tumours in them, and the junior's training samples. Validation: mixes of the
    other tumours into the other hosts, and the other tumours' own scans. No person stands on both
    sides, which for hosts are those of stage 1. With too few tumour scans to part, the junior's
    shifted-validation samples validate the senior, too.
    """
    from synthtumour_bids.segmentation.cases import Case

    settings = job.settings
    tumours_train, tumours_val = split_tumours(labelled, settings.seed)
    hosts_train, hosts_val = (halves.whole_brains(job, side) for side in hosts)
    count = settings.profile.n_mixed
    synthetic = []
    if settings.preset == "default":
        found = halves.healthy_halves(job, [item.scan for item in tumours_train])
        hosts_train += found
        synthetic = [case for case in synthesise.junior_cases(job) if not case.validation]
        synthetic += halves.cases(job, found, count)
    tasks = _tasks(job, "train", tumours_train, hosts_train, count)
    if tumours_val:
        tasks += _tasks(job, "val", tumours_val, hosts_val, max(4, count // 8))
    results = map_items(
        mix_one,
        tasks,
        nprocs=job.synthesis_processes,
        cluster=job.cluster,
        label="Stage 2",
        describe=lambda task: task.name,
    )
    failed = [result for result in results if result.failed]
    if len(failed) > len(tasks) // 10:
        msg = f"{len(failed)} of {len(tasks)} mixes failed; the first: {failed[0].error}"
        raise DataError(msg)
    mixed = [
        Case(task.name, *result.value, validation=task.name.startswith("val"))
        for task, result in zip(tasks, results, strict=True)
        if result.value is not None
    ]
    draw_samples(
        [(case.image, case.label, case.name) for case in mixed],
        settings.output_dir / "models" / "stage_two.png",
        "Stage 2: real tumours mixed into tumour-free brains",
    )
    real = [
        Case(
            f"{'val' if validation else 'train'}-{item.scan.stem}",
            job.standard_image(item.scan),
            item.label,
            validation=validation,
        )
        for items, validation in ((tumours_train, False), (tumours_val, True))
        for item in items
    ]
    if tumours_val:
        return mixed + real + synthetic
    return (
        mixed
        + real
        + synthetic
        + [case for case in synthesise.junior_cases(job) if case.validation]
    )


def _tasks(
    job: Job, side: str, tumours: Sequence[Labelled], hosts: Sequence[Host], count: int
) -> list[Task]:
    from synthtumour_bids.synthesis.stage_two import plan_pairs

    folder = job.settings.work_dir / NAME
    folder.mkdir(parents=True, exist_ok=True)
    by_tumour = {item.scan.key: item for item in tumours}
    by_host = {host.scan.key: host for host in hosts}
    tasks = []
    for pair in plan_pairs(sorted(by_tumour), sorted(by_host), count, job.settings.seed):
        tumour, host = by_tumour[pair.tumour], by_host[pair.host]
        tasks.append(
            Task(
                f"{side}-mix-{pair.index:04d}",
                tumour,
                host,
                pair.index,
                (
                    job.standard_image(tumour.scan),
                    tumour.label,
                    job.standard_mask(tumour.scan),
                    host.image,
                    host.mask,
                ),
                folder,
                job.settings,
            )
        )
    return tasks


def mix_one(task: Task) -> tuple[Path, Path]:
    """Mix one pair and write image and label, with its parameters in the sidecar."""
    import numpy as np

    from synthtumour_bids.bids.derivatives import write_image
    from synthtumour_bids.steps.volumes import load_volume
    from synthtumour_bids.synthesis.seeds import stream
    from synthtumour_bids.synthesis.stage_two import mix, sample_mix

    tumour, label, tumour_brain, host, host_brain = (load_volume(path) for path in task.paths)
    rng = stream(task.settings.seed, task.name, task.host.scan.key, task.index, "mix")
    params = sample_mix(rng, task.settings.preset)
    image, mask = mix(
        tumour.data,
        label.mask,
        tumour_brain.mask,
        host.data,
        host_brain.mask,
        host.spacing,
        params,
    )
    paths = (
        task.folder / f"{task.name}_image.nii",
        task.folder / f"{task.name}_label.nii",
    )
    sidecar = {
        "Tumour": task.tumour.scan.uri,
        "Host": task.host.scan.uri,
        "HostPart": task.host.part,
        "Parameters": params.to_json(),
    }
    write_image(paths[0], host.with_data(image), sidecar)
    write_image(paths[1], host.with_data(mask.astype(np.uint8)), {})
    return paths
