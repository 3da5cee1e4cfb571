"""Simulated heads as hosts: for cohorts without tumour-free scans, and beside those that are there.

They are drawn on the run's template grid from the run's seed, in processes whose number changes
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synthtumour_bids.bids.derivatives import sidecar_path, write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.label_free.hosts import WHOLE, Host
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.profiles import Profile
from synthtumour_bids.settings import Role, Settings
from synthtumour_bids.simulation.head import SIMULATION_VERSION, HeadParams, render, sample
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.volumes import template_image

NAME = "simulated"  # of their data set, and of what the record of a training says of them
CONTRASTS = ("FLAIR",)  # whose simulated heads were looked at beside real ones
FEWEST_PERSONS = 2  # tumour-free ones of a cohort that can do without: one trains, one validates
SAMPLES_EACH = 6  # stage-1 samples that one head bears, in which it is still drawn in an hour
FEWEST = 3
SHIFTED_EVERY = 3  # every third head is for the shifted validation
MEMORY_GB = 2.0  # of one process at 1 mm; 1.3 there, 0.7 at 2 mm


@dataclass(frozen=True)
class HeadTask:
    """One head to render."""

    host: Host
    index: int
    seed: int
    resolution: float


def possible(settings: Settings) -> bool:
    """Whether heads can be simulated in the images of a run."""
    return settings.contrast in CONTRASTS


def are_used(job: Job, method: Method) -> bool:
    """Whether simulated heads are hosts of a run.

    They are beside a starter, which was trained on such heads, and where there are too few
    tumour-free persons. A junior that was trained here keeps what it was trained with.
    """
    if not possible(job.settings):
        return False
    if isinstance(job.settings.junior, Path):
        return True
    if lineage.detail_of_junior(job, method, NAME) is True:
        return True
    hosts = {scan.person for scan in job.selection.everything if scan.role is Role.TUMOURFREE}
    return len(hosts) < FEWEST_PERSONS


def count(profile: Profile) -> int:
    """How many heads a run draws."""
    return max(FEWEST, profile.n_train // SAMPLES_EACH)


def sides(job: Job) -> tuple[list[Host], list[Host]]:
    """Heads to train on and heads for the shifted validation; not rendered yet."""
    hosts = [task.host for task in _tasks(job)]
    shifted = hosts[SHIFTED_EVERY - 1 :: SHIFTED_EVERY]
    return [host for host in hosts if host not in shifted], shifted


def told(job: Job) -> dict[str, int | str]:
    """What model cards tell of the heads."""
    settings = job.settings
    return {
        "Count": count(settings.profile),
        "Seed": settings.seed,
        "SimulationVersion": SIMULATION_VERSION,
    }


def draw_head(seed: int, index: int) -> HeadParams:
    """Draw one head of a run: another than any of a starter or of the demo, whatever their seeds.

    Parameters
    ----------
    seed
        Of the run.
    index
        Which head it is, from 0.
    """
    return sample(stream(seed, "simulated host", index=index, purpose="host"))


def render_missing(job: Job) -> None:
    """Render the heads that are not there yet.

    Raises
    ------
    DataError
        When one of them failed.
    """
    missing = [task for task in _tasks(job) if not sidecar_path(task.host.mask).is_file()]
    results = job.map(
        render_head,
        missing,
        label="Simulated heads",
        describe=lambda task: task.host.origin,
        memory_gb=MEMORY_GB,
        stoppable=False,
    )
    failed = [result for result in results if result.failed]
    if failed:
        msg = f"{failed[0].item.host.origin} could not be drawn: {failed[0].error}"
        raise DataError(msg)


def render_head(task: HeadTask) -> None:
    """Render one head and write its image and its brain mask, the sidecar of which comes last."""
    standard = standard_brain(task.resolution)
    x, y, z = standard.shape
    head = render(draw_head(task.seed, task.index), (x, y, z), standard.affine)
    image = head.host
    told = {"Host": task.host.source, "HostPart": task.host.part}
    write_image(task.host.image, template_image(image, standard.affine), told)
    mask = template_image(head.mask.astype(np.uint8), standard.affine)
    write_image(task.host.mask, mask, told)


def real(hosts: Sequence[Host]) -> list[Scan]:
    """Scans of those hosts that are no simulated heads."""
    return [host.scan for host in hosts if not is_simulated(host)]


def is_head(person: str) -> bool:
    """Whether a person is a simulated head."""
    return person.startswith(f"{NAME}/")


def is_simulated(host: Host) -> bool:
    """Whether a host is a simulated head."""
    return host.scan.dataset_name == NAME


def _tasks(job: Job) -> list[HeadTask]:
    seed, resolution = job.settings.seed, job.settings.profile.resolution
    kind = f"{resolution:g}mm-seed{seed}-simulation{SIMULATION_VERSION}"
    folder = job.layout.scratch(Scratch.SIMULATED, kind)
    return [
        HeadTask(_host(folder, index, seed), index, seed, resolution)
        for index in range(count(job.settings.profile))
    ]


def _host(folder: Path, index: int, seed: int) -> Host:
    label = f"{index:04d}"
    image, mask = (folder / f"sub-{label}_{part}.nii" for part in ("FLAIR", "mask"))
    scan = Scan(image, (("sub", label),), "FLAIR", Role.TUMOURFREE, folder, NAME)
    origin = f"simulated head {index} of seed {seed}, simulation {SIMULATION_VERSION}"
    return Host(scan, image, mask, WHOLE, origin)
