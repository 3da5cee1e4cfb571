"""Stage 2: real tumour voxels, cut out by the pseudo-labels, mixed into tumour-free brains."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.errors import DataError
from synthtumour_bids.estimates import CALIBRATING
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.methods.label_free.hosts import Host
from synthtumour_bids.methods.label_free.recipes import Recipe
from synthtumour_bids.methods.label_free.stage_one import MEMORY_GB
from synthtumour_bids.methods.pseudo_labels import Labelled
from synthtumour_bids.methods.sample_sheets import SheetSample, draw_sheet
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.hosts import split_hosts
from synthtumour_bids.synthesis.pairs import plan_pairs
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.synthesis.stage_two import MixRanges, mix, sample_mix
from synthtumour_bids.volumes import load_volume

NAME = "stage_two"
MIXES = "mixes"  # kind of the cases
TRAIN, VALIDATION, CALIBRATION = "train", "val", "calibration"  # what mixes are for
SIDES = {False: "for training", True: "these choose the epoch"}
VALIDATION_SHARE = 0.2  # of the tumour scans
FEWEST_TO_VALIDATE = 4  # persons with a tumour
FEWEST_TO_CHOOSE = 4  # mixes
FEWEST_PER_FAILURE = 10  # mixes: more failures than a tenth of them end the run


@dataclass(frozen=True)
class MixTask:
    """One mix: which tumour goes into which host.

    Attributes
    ----------
    name
        Unique among the mixes.
    tumour, host
        Where voxels come from, and where they go to.
    index
        Which mix of this pair it is.
    tumour_image, tumour_brain
        The tumour's scan on the template grid.
    folder
        Where to write to.
    ranges, seed
        How to draw the parameters.
    """

    name: str
    tumour: Labelled
    host: Host
    index: int
    tumour_image: Path
    tumour_brain: Path
    folder: Path
    ranges: MixRanges
    seed: int

    @property
    def persons(self) -> frozenset[str]:
        """Whose voxels are in the mix."""
        return frozenset((self.tumour.scan.person, self.host.scan.person))


def split_tumours(labelled: Sequence[Labelled], seed: int) -> tuple[list[Labelled], list[Labelled]]:
    """Divide pseudo-labelled scans into training and validation, persons kept together.

    With fewer than 4 persons all of them train.
    """
    if len({item.scan.person for item in labelled}) < FEWEST_TO_VALIDATE:
        return list(labelled), []
    train, _ = split_hosts(
        [(item.scan.key, item.scan.person) for item in labelled], VALIDATION_SHARE, seed=seed
    )
    return (
        [item for item in labelled if item.scan.key in train],
        [item for item in labelled if item.scan.key not in train],
    )


def split_as_before(
    labelled: Sequence[Labelled], validating: Collection[str]
) -> tuple[list[Labelled], list[Labelled]]:
    """Divide pseudo-labelled scans as for the senior whose weights the next one starts from.

    Whoever has taught those weights cannot tell any more when to stop. Who is new teaches.

    Parameters
    ----------
    labelled
        Of any persons.
    validating
        Persons who chose that senior's epoch.
    """
    return (
        [item for item in labelled if item.scan.person not in validating],
        [item for item in labelled if item.scan.person in validating],
    )


def plan(
    job: Job,
    recipe: Recipe,
    tumours: tuple[Sequence[Labelled], Sequence[Labelled]],
    hosts: tuple[Sequence[Host], Sequence[Host]],
    count: int,
) -> list[MixTask]:
    """Plan all mixes of a senior: those that teach, that choose the epoch, and that calibrate.

    Parameters
    ----------
    job, recipe
        Of the run.
    tumours, hosts
        For training, and for validation; these calibrate, too. Without any, all mixes teach.
    count
        Mixes for training.
    """
    (teaching, choosing), (whole, others) = tumours, hosts
    tasks = mix_tasks(job, recipe.mixing, TRAIN, teaching, whole, count)
    if choosing:
        fewer = max(FEWEST_TO_CHOOSE, count // 8)
        tasks += mix_tasks(job, recipe.mixing, VALIDATION, choosing, others, fewer)
        tasks += mix_tasks(job, recipe.calibrating, CALIBRATION, choosing, others, CALIBRATING)
    return tasks


def mix_tasks(
    job: Job,
    ranges: MixRanges,
    side: str,
    tumours: Sequence[Labelled],
    hosts: Sequence[Host],
    count: int,
) -> list[MixTask]:
    """Pair tumours and hosts for `count` mixes of one side."""
    folder = job.layout.scratch(Scratch.STAGE_TWO)
    by_tumour = {item.scan.key: item for item in tumours}
    by_host = {host.scan.key: host for host in hosts}
    seed = job.settings.seed
    return [
        MixTask(
            f"{side}-mix-{pair.index:04d}",
            by_tumour[pair.tumour],
            by_host[pair.host],
            pair.index,
            job.layout.standard_image(by_tumour[pair.tumour].scan),
            job.layout.standard_brain(by_tumour[pair.tumour].scan),
            folder,
            ranges,
            seed,
        )
        for pair in plan_pairs(sorted(by_tumour), sorted(by_host), count, seed)
    ]


def mix_all(job: Job, tasks: Sequence[MixTask]) -> list[Case]:
    """Mix all pairs.

    Raises
    ------
    DataError
        When more than a tenth of them failed.
    """
    results = job.map(
        mix_one,
        tasks,
        label="Stage 2",
        describe=lambda task: task.name,
        memory_gb=MEMORY_GB,
        stoppable=False,
    )
    failed = [result for result in results if result.failed]
    if FEWEST_PER_FAILURE * len(failed) > len(tasks):
        msg = f"{len(failed)} of {len(tasks)} mixes failed; the first: {failed[0].error}"
        raise DataError(msg)
    return [case_of(result.item, *result.value) for result in results if result.value is not None]


def picture(job: Job, cases: Sequence[Case]) -> None:
    """Draw some of the mixes that teach, or choose the epoch."""
    draw_sheet(
        [
            SheetSample.from_sidecar(case.name, SIDES[case.validation], case.image, case.label)
            for case in cases
        ],
        job.layout,
        NAME,
        "Stage 2: real tumours mixed into tumour-free brains",
    )


def case_of(task: MixTask, image: Path, label: Path) -> Case:
    """Give a mix to a network."""
    validation = not task.name.startswith(TRAIN)
    return Case(task.name, image, label, validation, persons=task.persons, kind=MIXES)


def is_calibrating(case: Case) -> bool:
    """Whether a mix was made to calibrate, and is not to be learned from."""
    return case.name.startswith(CALIBRATION)


def mix_one(task: MixTask) -> tuple[Path, Path]:
    """Mix one pair and write image and label, with its parameters in the sidecar."""
    host = load_volume(task.host.image)
    rng = stream(task.seed, task.name, task.host.scan.key, index=task.index, purpose="mix")
    params = sample_mix(rng, task.ranges)
    image, mask = mix(
        Brain(
            load_volume(task.tumour_image).data, load_volume(task.tumour_brain).mask, host.spacing
        ),
        load_volume(task.tumour.label).mask,
        Brain(host.data, load_volume(task.host.mask).mask, host.spacing),
        params,
    )
    paths = task.folder / f"{task.name}_image.nii", task.folder / f"{task.name}_label.nii"
    sidecar = {
        "Tumour": task.tumour.scan.uri,
        "Host": task.host.source,
        "HostPart": task.host.part,
        "Parameters": params.to_json(),
    }
    write_image(paths[0], host.with_data(image), sidecar)
    write_image(paths[1], host.with_data(mask.astype(np.uint8)), {})
    return paths
