"""Simulated heads without a tumour, which tell a network's verdict what nothing looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.execution.pool import Result
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.settings import Settings
from synthtumour_bids.simulation.appearance import APPEARANCES
from synthtumour_bids.simulation.head import SIMULATION_VERSION, render, sample
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.volumes import template_image

SOURCE = "simulated heads"  # what a calibration by them is said to be by
CONTRASTS = ("FLAIR",)  # whose simulated heads were looked at beside real ones
MEMORY_GB = 2.0  # of one process at 1 mm


@dataclass(frozen=True)
class ControlHead:
    """One head to render: another than any that hosts tumours or taught a starter."""

    path: Path
    index: int
    seed: int
    resolution: float
    contrast: str


def possible(settings: Settings) -> bool:
    """Whether a run's networks can be shown simulated heads, and are worth it."""
    known = settings.contrast in CONTRASTS and not settings.more_contrasts
    return known and settings.profile.n_controls > 0


def heads_of(settings: Settings, folder: Path) -> list[ControlHead]:
    """The heads of a run's seed, in a folder; not rendered yet."""
    return [
        ControlHead(
            folder / f"{index:04d}_{settings.contrast}.nii",
            index,
            settings.seed,
            settings.profile.resolution,
            settings.contrast,
        )
        for index in range(settings.profile.n_controls)
    ]


def render_head(head: ControlHead) -> None:
    """Render a head on the template grid and write it, skull-stripped, 0 outside."""
    standard = standard_brain(head.resolution)
    x, y, z = standard.shape
    rng = stream(head.seed, "control head", index=head.index, purpose="control")
    drawn = render(sample(rng, APPEARANCES[head.contrast]), (x, y, z), standard.affine)
    image = drawn.host
    write_image(head.path, template_image(image, standard.affine), {})


def rendered(job: Job) -> Sequence[Result[ControlHead, None]]:
    """Render the heads of a run that are not there yet; the others are as they were."""
    settings = job.settings
    kind = f"controls-{settings.profile.resolution:g}mm-seed{settings.seed}"
    folder = job.layout.scratch(Scratch.SIMULATED, f"{kind}-simulation{SIMULATION_VERSION}")
    heads = heads_of(settings, folder)
    made = job.map(
        render_head,
        [head for head in heads if not head.path.is_file()],
        label="Simulated heads",
        describe=lambda head: head.path.name,
        memory_gb=MEMORY_GB,
        stoppable=False,
    )
    new = {result.item: result for result in made}
    return [new.get(head, Result(head)) for head in heads]
