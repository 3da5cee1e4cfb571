"""One simulated scan: a subject, perhaps a tumour, and what the scanner makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np
from scipy import ndimage

from synthtumour_bids.demo.acquisition import (
    Acquisition,
    Scanner,
    add_noise,
    fine_grid,
    sample_scanner,
    shade,
    slices_per_block,
    thick_affine,
    thicken,
)
from synthtumour_bids.demo.contrasts import FLAIR, Contrast
from synthtumour_bids.demo.growth import Growth, grow
from synthtumour_bids.demo.tumour import add_tumour, sample_tumour_signals
from synthtumour_bids.simulation.contrast import brain_signal, sample_signals
from synthtumour_bids.simulation.fields import smooth_field
from synthtumour_bids.simulation.fluid import add_fluid, sample_fluid
from synthtumour_bids.simulation.head import sample_folds, sample_residual
from synthtumour_bids.simulation.hyperintensities import (
    add_hyperintensities,
    sample_hyperintensities,
)
from synthtumour_bids.simulation.subject import (
    Anatomy,
    Variation,
    build_anatomy,
    rotation_matrix,
)
from synthtumour_bids.simulation.surroundings import sample_surroundings, surround


@dataclass(frozen=True)
class Head:
    """A simulated scan with its truth, all on the scan's grid.

    ``truth`` and ``density`` are ``None`` without a tumour; ``brain`` and ``truth`` are uint8
    masks, ``density`` (X, Y, Z) is that of tumour cells, in [0, 1].
    """

    image: nib.Nifti1Image
    brain: nib.Nifti1Image
    truth: nib.Nifti1Image | None
    scanner: Scanner
    density: np.ndarray | None = None


@dataclass(frozen=True)
class Again:
    """The same head once more: it lies otherwise, and the scanner is another.

    Attributes
    ----------
    rng
        Draws what is different, noise and shading included.
    contrast
        Of this scan.
    thin
        Whether its voxels are isotropic, whatever the first scan's slices.
    """

    rng: np.random.Generator
    contrast: Contrast = FLAIR
    thin: bool = False


def sample_growth(rng: np.random.Generator, volume: float) -> Growth:
    """Draw a tumour that is stopped at ``volume`` mL; from compact to far-reaching ones."""
    diffusion = float(np.exp(rng.uniform(np.log(0.15), np.log(0.6))))
    return Growth(
        diffusion_wm=diffusion,
        diffusion_gm=diffusion / float(rng.uniform(10, 30)),
        proliferation=float(rng.uniform(0.02, 0.04)),
        visible=0.2,
        volume=volume,
    )


def sample_person(rng: np.random.Generator, age: float) -> Variation:
    """Draw a head as it lies in the scanner: its own size, turned and shifted."""
    person = sample_residual(rng, age)
    size = rng.normal(0.92, 0.025)  # the average head is larger than the average person's
    x, y, z = (size * rng.normal(1, 0.02, 3)).tolist()
    turn, move = rng.normal(0, (5, 3, 4)).tolist(), rng.normal(0, (3, 4, 4)).tolist()
    return replace(
        person,
        scale=(x, y, z),
        rotation=(turn[0], turn[1], turn[2]),
        shift=(move[0], move[1], move[2]),
    )


def _seed_voxel(anatomy: Anatomy, rng: np.random.Generator) -> tuple[int, int, int]:
    """A voxel of the cerebrum's white matter, away from the surface and the ventricles."""
    x, _, z = anatomy.mni
    allowed = (anatomy.wm > 0.8) & (z > -8) & (z < 50) & (np.abs(x) > 14)
    allowed &= (anatomy.brain_distance < -10) & (anatomy.ventricle_distance > 4)
    candidates = np.argwhere(allowed)
    i, j, k = candidates[rng.integers(len(candidates))]
    return int(i), int(j), int(k)


def _grow_in(anatomy: Anatomy, growth: Growth, rng: np.random.Generator) -> np.ndarray:
    """Tumour density in the subject; it spares cerebellum and brainstem."""
    x, y, z = anatomy.mni
    cerebellum = (z < -18) & (y < -45)
    brainstem = (z < -12) & (y < -8) & (np.abs(x) < 18)
    cerebrum = ~(cerebellum | brainstem)
    shape, spacing = anatomy.wm.shape, anatomy.spacing
    tracts = np.clip(np.exp(1.1 * smooth_field(rng, shape, spacing, 16)), 0.05, 4)
    return grow(
        anatomy.wm * cerebrum,
        anatomy.gm * cerebrum,
        spacing,
        _seed_voxel(anatomy, rng),
        growth,
        heterogeneity=tracts,
    )


def simulate_head(
    rng: np.random.Generator,
    resolution: float,
    acquisition: Acquisition,
    *,
    tumour_volume: float | None = None,
    age: float = 0.3,
    again: Again | None = None,
) -> Head:
    """Simulate one scan.

    Parameters
    ----------
    rng
        Everything random comes from here, in a fixed order.
    resolution
        Voxel size in mm (of the slices' plane, when these are thick).
    acquisition
        Orientation, slice thickness, tilt, brain only or whole head.
    tumour_volume
        mL to grow a tumour to; ``None`` for none.
    age
        0 young to 1 very old: width of the fluid spaces, white-matter hyperintensities.
    again
        Makes it another scan of the head that the same ``rng`` gives without; with a larger
        ``tumour_volume``, of the tumour when it has grown.

    Returns
    -------
    Head with int16 intensities.
    """
    shape, affine = fine_grid(acquisition, resolution)
    variation = sample_person(rng, age)
    anatomy = build_anatomy(shape, affine, variation, sample_folds(rng, age), rng)
    scanner = sample_scanner(rng)
    look = again.contrast if again else FLAIR
    signal = brain_signal(anatomy, look.tissue(sample_signals(rng, age)), rng)
    spots = look.spots(sample_hyperintensities(rng, age))
    signal = add_hyperintensities(signal, anatomy, spots, rng)
    signal = add_fluid(signal, anatomy, look.fluid(sample_fluid(rng)), rng)
    growth = density = None
    if tumour_volume is not None:
        growth = sample_growth(rng, tumour_volume)
        density = _grow_in(anatomy, growth, rng)
        signals = look.tumour(sample_tumour_signals(rng))
        signal = add_tumour(signal, anatomy, signals, density, growth.visible, rng)
    signal = surround(signal, anatomy, sample_surroundings(rng), rng)
    inside = anatomy.brain.astype(np.float32)
    if again is not None:
        rng, scanner = again.rng, sample_scanner(again.rng)
        pose = _sample_pose(rng, shape, resolution)
        signal = np.clip(_moved(signal, pose, order=3), 0, None)
        inside = _moved(inside, pose)
        density = None if density is None else _moved(density, pose)
    signal = shade(signal, anatomy.spacing, scanner, rng)

    block = 1 if again and again.thin else slices_per_block(acquisition, resolution)
    grid = thick_affine(affine, block)
    signal = add_noise(thicken(signal, block), scanner, rng)
    brain = thicken(inside, block) >= 0.5
    truth = None
    if density is not None and growth is not None:
        density = thicken(density, block)
        truth = (density >= growth.visible) & brain
    if acquisition.stripped:
        signal = signal * brain
    numbers = np.clip(np.round(signal * scanner.scale), 0, 32767).astype(np.int16)
    return Head(
        image=nifti(numbers, grid),
        brain=nifti(brain.astype(np.uint8), grid),
        truth=None if truth is None else nifti(truth.astype(np.uint8), grid),
        scanner=scanner,
        density=density,
    )


def _sample_pose(
    rng: np.random.Generator, shape: tuple[int, int, int], resolution: float
) -> np.ndarray:
    """Where the head lies: voxels of the grid to those of the first scan's, (4, 4)."""
    pitch, roll, yaw = rng.normal(0, 3, 3).tolist()
    turn = rotation_matrix((pitch, roll, yaw))
    middle = (np.array(shape) - 1) / 2
    pose = np.eye(4)
    pose[:3, :3] = turn
    pose[:3, 3] = middle - turn @ middle + rng.normal(0, 3, 3) / resolution
    return pose


def _moved(values: np.ndarray, pose: np.ndarray, order: int = 1) -> np.ndarray:
    moved: np.ndarray = ndimage.affine_transform(
        values.astype(np.float32), pose[:3, :3], pose[:3, 3], order=order
    )
    return moved


def nifti(values: np.ndarray, affine: np.ndarray) -> nib.Nifti1Image:
    """NIfTI image with qform and sform in scanner coordinates, units of mm."""
    image = nib.Nifti1Image(values, affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm", "sec")
    return image
