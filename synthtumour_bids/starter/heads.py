"""Simulated heads on disk: rendered once, read in every sample."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.execution.pool import map_items
from synthtumour_bids.files import replacing
from synthtumour_bids.preprocessing.templates import standard_brain, standard_tissues
from synthtumour_bids.simulation.appearance import APPEARANCES
from synthtumour_bids.simulation.head import SIMULATION_VERSION, render, sample
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.seeds import stream

Item = TypeVar("Item")
ROUNDING = 0.01  # where white matter is about 1


@dataclass(frozen=True)
class HeadTask:
    """One head to render."""

    path: Path
    seed: int
    purpose: str
    index: int
    resolution: float
    contrast: str


def render_heads(
    folder: Path,
    count: int,
    *,
    seed: int,
    purpose: str,
    resolution: float,
    contrast: str = "FLAIR",
    nprocs: int,
) -> list[Path]:
    """Render the heads that are not there yet.

    Parameters
    ----------
    folder
        Gets ``<purpose>-<index>.npy``: float16 (X, Y, Z) on the template grid, 0 outside the brain.
    count
        How many.
    seed, purpose
        Name the random numbers: the heads of two purposes have nothing in common.
    resolution
        Voxel size, mm.
    contrast
        Of :data:`.appearance.APPEARANCES`.
    nprocs
        Processes to share the work.

    Returns
    -------
    list of Path
    """
    folder.mkdir(parents=True, exist_ok=True)
    tasks = _tasks(folder, count, seed, purpose, resolution, contrast)
    missing = [task for task in tasks if not task.path.is_file()]
    results = map_items(
        _render, missing, nprocs=nprocs, label="Simulated heads", describe=lambda t: t.path.stem
    )
    for result in results:
        if result.failed:
            raise RuntimeError(f"{result.item.path.stem}: {result.error}")
    return [task.path for task in tasks]


def heads_folder(folder: Path) -> Path:
    """Where the heads of a starter are, in its folder."""
    return folder / f"heads-{SIMULATION_VERSION}"


def head_paths(folder: Path, purpose: str, count: int) -> list[Path]:
    """Files of heads, in the order of their numbers."""
    return [folder / f"{purpose}-{index:04d}.npy" for index in range(count)]


def are_of(
    folder: Path, count: int, *, seed: int, purpose: str, resolution: float, contrast: str
) -> bool:
    """Whether the heads that are there are those that :func:`render_heads` would make.

    The first and the last of them are rendered again: those that another call added come later.
    """
    tasks = _tasks(folder, count, seed, purpose, resolution, contrast)
    there = [task for task in tasks if task.path.is_file()]
    return all(alike(np.load(task.path), _image(task)) for task in ends(there))


def ends(items: list[Item]) -> list[Item]:
    """The first and the last of a list, which may be the same or missing."""
    return [items[index] for index in sorted({0, len(items) - 1}) if items]


def alike(found: NDArray[np.generic], made: NDArray[np.generic]) -> bool:
    """Whether images are the same but for how machines round."""
    return found.shape == made.shape and np.allclose(found, made, atol=ROUNDING)


@dataclass(frozen=True, eq=False)
class Tissues:
    """The standard brain's: a registered scan's own are not known. float32 (X, Y, Z), in [0, 1]."""

    white: NDArray[np.float32]
    all: NDArray[np.float32]


def load_tissues(resolution: float) -> Tissues:
    """Load the standard brain's tissue on the template grid, voxel size in mm."""
    maps = standard_tissues(resolution)
    return Tissues(maps["wm"], maps["gm"] + maps["wm"])


def read_head(path: Path, resolution: float, tissues: Tissues) -> Brain:
    """Read a head as a host."""
    image: NDArray[np.float32] = np.load(path).astype(np.float32)
    return Brain(
        image,
        image > 0,
        (resolution,) * 3,
        white_matter=tissues.white,
        placement=tissues.all,
    )


def _tasks(
    folder: Path, count: int, seed: int, purpose: str, resolution: float, contrast: str
) -> list[HeadTask]:
    return [
        HeadTask(path, seed, purpose, index, resolution, contrast)
        for index, path in enumerate(head_paths(folder, purpose, count))
    ]


def _render(task: HeadTask) -> None:
    image = _image(task)
    with replacing(task.path) as partial, partial.open("wb") as file:
        np.save(file, image)


def _image(task: HeadTask) -> NDArray[np.float16]:
    grid = standard_brain(task.resolution)
    rng = stream(task.seed, "head", index=task.index, purpose=task.purpose)
    x, y, z = grid.shape
    head = render(sample(rng, APPEARANCES[task.contrast]), (x, y, z), grid.affine)
    image: NDArray[np.float16] = head.host.astype(np.float16)
    return image
