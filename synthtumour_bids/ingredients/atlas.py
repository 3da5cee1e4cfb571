"""What is where on a template grid, for hosts of whom no more is known than that they lie there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.simulation.anatomy import average_head, to_voxels
from synthtumour_bids.simulation.places import Places
from synthtumour_bids.simulation.subject import FAR, carry
from synthtumour_bids.synthesis.geometry import Axes, Box, Triple, box_around, triple

Map = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Atlas:
    """The average head on a grid whose axes run right, front and up.

    Attributes
    ----------
    origin, spacing
        MNI position of the first voxel's centre, and voxel size, mm.
    ventricle_distance, brain_distance
        mm to the lateral and third ventricles and to the brain's surface, negative inside;
        float32 (X, Y, Z).
    depth
        mm below the surface on which sulci open, float32 (X, Y, Z).
    cerebrum
        Soft mask without cerebellum and brain stem, float32 (X, Y, Z).
    """

    origin: Triple
    spacing: Triple
    ventricle_distance: Map
    brain_distance: Map
    depth: Map
    cerebrum: Map

    @property
    def whole(self) -> Box:
        """Box of the whole grid."""
        return Box.of((0, 0, 0), self.cerebrum.shape)

    def box(self, low: Triple, high: Triple) -> Box:
        """Box of what lies between two corners in MNI space, mm."""
        near, far = (np.subtract(corner, self.origin) for corner in (low, high))
        return box_around(near, far, self.spacing, self.cerebrum.shape)

    def axes(self, box: Box) -> Axes:
        """MNI coordinates of the voxels of a box along each axis, mm."""
        own = zip(self.origin, box.axes_mm(self.spacing), strict=True)
        return triple(start + axis for start, axis in own)

    def places(self, box: Box) -> Places:
        """Distance from the middle, y and z of the voxels of a box, mm; they broadcast."""
        x, y, z = (axis.astype(np.float32) for axis in self.axes(box))
        return np.abs(x)[:, None, None], y[:, None], z


def load_atlas(shape: tuple[int, ...], affine: NDArray[np.float64]) -> Atlas:
    """Carry the average head to a template grid.

    Parameters
    ----------
    shape, affine
        The grid; its axes run right, front and up in MNI space.

    Raises
    ------
    ValueError
        If they do not.
    """
    size = np.diag(affine)[:3]
    if not np.allclose(affine[:3, :3], np.diag(size)) or not (size > 0).all():
        raise ValueError(
            "Ingredients are drawn on grids whose axes run right, front and up in MNI space; "
            f"got the affine {affine.tolist()}."
        )
    head = average_head()
    index = np.indices(shape, dtype=np.float32)
    at = to_voxels(index * size.reshape(3, 1, 1, 1) + affine[:3, 3].reshape(3, 1, 1, 1))
    maps = (
        carry(values, at, outside).astype(np.float32)
        for values, outside in (
            (head.ventricle_distance, FAR),
            (head.brain_distance, FAR),
            (head.surface_depth, -FAR),
            (head.cerebrum, 0.0),
        )
    )
    return Atlas(triple(affine[:3, 3].tolist()), triple(size.tolist()), *maps)
