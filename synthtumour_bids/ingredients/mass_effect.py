"""Mass effect: solid parts grow at the cost of fluid, and what lies between moves.

Tissue is next to incompressible. What a tumour gains, ventricles and sulci lose, those nearby most,
and tissue moves from the one to the other: the displacement is the gradient of a potential whose
Laplacian is the growth, positive in the tumour and negative in the fluid. So ventricle and midline
give way in proportion to what has grown, and nothing moves at the skull.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.ingredients.flow import bearable, coarsened, flow, interpolated
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.filters import SHORT, gaussian, in_voxels
from synthtumour_bids.synthesis.geometry import Box, Mask, Numbers, smoothstep, triple
from synthtumour_bids.synthesis.lesion import Lesion
from synthtumour_bids.synthesis.ranges import Range
from synthtumour_bids.synthesis.shape import Surface

# A solid part has this share of its final volume from growth that pushed; the rest replaced tissue
# (invasion). Gliomas of some 50 mL shift the midline by 0 to 10 mm, which these give.
SOLID = Range(0.3, 0.7)
OEDEMA = Range(0.0, 0.12)  # oedematous white matter swells by about a tenth
REACH_MM = Range(40.0, 90.0)  # s.d. of the distance from the tumour over which fluid gives way
TISSUE = 0.02  # how far tissue gives way, beside fluid: its blood and interstitial fluid do
MOST_LOST = 0.7  # share of its fluid that a place can lose
COARSE_MM = 8.0  # of the grid on which the potential is solved: it is smooth
DETAIL_MM = 1.4  # s.d. of what is interpolated; what is finer moves by whole voxels


@dataclass(frozen=True)
class MassEffect:
    """Shares of their final volume that solid parts and oedema gain; mm that fluid gives way in."""

    solid: float
    oedema: float
    reach: float


def sample(rng: np.random.Generator) -> MassEffect:
    """Draw how a tumour presses."""
    return MassEffect(SOLID.draw(rng), OEDEMA.draw(rng), REACH_MM.draw(rng))


def shape(lesion: Lesion, params: MassEffect) -> Lesion:
    """Make a lesion smaller by as much as it will grow."""
    mass = lesion.core is not None and lesion.core_form == "mass"
    left = 1 - params.solid * (lesion.core_fraction if mass else 0.7)
    return replace(
        lesion,
        volume_ml=lesion.volume_ml * left,
        surfaces=tuple(_shrunk(surface, left) for surface in lesion.surfaces),
        core=_shrunk(lesion.core, 1 - params.solid if mass else left) if lesion.core else None,
    )


def _shrunk(surface: Surface, share: float) -> Surface:
    return replace(surface, radii_mm=triple(mm * share ** (1 / 3) for mm in surface.radii_mm))


def render(
    image: NDArray[np.float32],
    label: NDArray[np.uint8],
    solid: NDArray[np.float32],
    host: Brain,
    params: MassEffect,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Let a tumour press on what surrounds it; image and label move alike.

    Parameters
    ----------
    image, label
        With the tumour, (X, Y, Z).
    solid
        Share of solid parts in each voxel, (X, Y, Z), in [0, 1].
    host
        The brain that the tumour was put into.
    params
        From :func:`sample`.

    Returns
    -------
    image, label
        New arrays.
    """
    growth = params.solid * solid + params.oedema * np.maximum(label - solid, 0)
    moved = displacement(growth, host, params.reach)
    if moved is None:
        return image, label
    return move(image, label, host, *moved)


def displacement(
    growth: NDArray[np.float32], host: Brain, reach: float
) -> tuple[tuple[NDArray[np.intp], ...], NDArray[np.float32]] | None:
    """Where the tissue of each voxel comes from.

    Parameters
    ----------
    growth
        Share of each voxel's volume that is gained, (X, Y, Z).
    host
        The brain.
    reach
        mm from the tumour over which fluid gives way.

    Returns
    -------
    voxels, offset
        Indices of the voxels that change, one array an axis, and float32 (3, n): the way to where
        their tissue comes from, mm. None where nothing grows, or nothing can give way.
    """
    steps = [max(1, round(COARSE_MM / size)) for size in host.spacing]
    size = np.multiply(steps, host.spacing)
    gained = coarsened(growth, steps)
    if gained.sum() * size.prod() < 100:  # mm³
        return None
    filled = coarsened(host.mask, steps)
    inside = filled > 0.5
    dark = (host.image < 0.6 * host.normal) & host.mask
    field = flow(_balanced(gained, coarsened(dark, steps), inside, reach / size), inside, size)
    # Nothing moves in the outermost blocks.
    depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1, 1:-1]
    field *= smoothstep(np.clip(depth - 1, 0, 1)).astype(np.float32)
    field *= bearable(field, size)
    voxels, offset = interpolated(field, filled, host, steps)
    return (voxels, offset) if offset.size else None


def _balanced(
    gained: NDArray[np.float32], fluid: NDArray[np.float32], inside: Mask, sigma: Numbers
) -> NDArray[np.float32]:
    """Growth, and what gives way to it below 0: fluid near the tumour most; the sum is 0."""
    near = ndimage.gaussian_filter(gained, sigma, truncate=2)
    room = (fluid + TISSUE) * inside * (gained < 0.05)
    sink = room * near
    total = max(float(sink.sum()), 1e-9)
    share = float(gained.sum()) / total
    # No tumour grows by more than there is room for.
    share = min(share, MOST_LOST / max(float(near[room > 0].max(initial=0)), 1e-9))
    grown: NDArray[np.float32] = gained * inside
    grown *= np.float32(share * total / max(float(grown.sum()), 1e-9))
    grown -= sink * np.float32(share)
    return grown


def move(
    image: NDArray[np.float32],
    label: NDArray[np.uint8],
    host: Brain,
    voxels: tuple[NDArray[np.intp], ...],
    offset: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Fetch the tissue of some voxels from elsewhere.

    Interpolation would smooth noise where tissue has moved and only there, which a network would
    take for tumour: detail is fetched from the nearest voxel instead.

    Parameters
    ----------
    image, label
        (X, Y, Z).
    host
        Their brain.
    voxels, offset
        From :func:`displacement`.

    Returns
    -------
    image, label
        New arrays.
    """
    index = np.stack(voxels)
    at = index + offset / np.array(host.spacing, np.float32)[:, None]
    most = np.array(image.shape)[:, None] - 1
    nearest = tuple(np.clip(np.rint(at).astype(np.intp), 0, most))
    box = Box.of(index.min(1) - 2, index.max(1) + 3).common(Box.of((0, 0, 0), image.shape))
    smooth = image.copy()
    sigma = in_voxels(DETAIL_MM, host.spacing)
    smooth[box.slices] = gaussian(image[box.slices], box, box, sigma, SHORT)
    result, moved = image.copy(), label.copy()
    fetched = ndimage.map_coordinates(smooth, at, order=1, mode="nearest")
    fetched += image[nearest] - smooth[nearest]
    result[voxels] = np.maximum(fetched, 0)
    moved[voxels] = label[nearest]
    return result, moved
