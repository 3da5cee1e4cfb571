"""A hole in a brain, filled with tissue that could have been there, without a seam.

What is copied are differences between neighbours, not values: the image inside the hole is the one
whose gradients are nearest to those of a guide, and which goes on from what surrounds the hole
(Perez et al., Poisson image editing, ACM Transactions on Graphics 22(3):313-318, 2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from .geometry import Mask, box_of

TOLERANCE = 1e-4  # of the solution, relative
MOST_STEPS = 2000
FASTENED = 1e-6  # weight of the mean around: of use where a part of the hole has no border


def fill(
    image: NDArray[np.floating[Any]],
    hole: Mask,
    brain: Mask,
    guide: NDArray[np.floating[Any]],
    known: Mask,
    spacing: Sequence[float],
) -> NDArray[np.float32]:
    """Fill a hole by the gradients of a guide.

    Parameters
    ----------
    image
        With a hole, (X, Y, Z); what is in the hole does not count.
    hole, brain
        On its grid. What is neither brain nor hole has no say: at the brain's surface, the filling
        ends freely.
    guide, known
        Tissue that could be in the hole, in the image's units, and where there is such tissue;
        elsewhere the filling is smooth. Differences alone count.
    spacing
        Voxel size along the axes, mm.

    Returns
    -------
    float32; outside the hole, bit by bit the image.
    """
    filled = image.astype(np.float32, copy=True)
    if not hole.any():
        return filled
    box = box_of(hole).grown((1, 1, 1), hole.shape).slices
    inside, tissue = hole[box], (brain | hole)[box]
    values, wanted, there = image[box], guide[box], known[box]
    number = np.full(inside.shape, -1, np.int64)
    number[inside] = np.arange(np.count_nonzero(inside))
    n = int(number.max()) + 1
    diagonal = np.full(n, FASTENED)
    border = tissue & ~inside
    level = float(values[border].mean()) if border.any() else 0.0
    target = np.full(n, FASTENED * level)
    rows: list[NDArray[np.int64]] = []
    columns: list[NDArray[np.int64]] = []
    weights: list[NDArray[np.float64]] = []
    for axis, size in enumerate(spacing):
        weight = 1.0 / float(size) ** 2
        ends = [
            tuple(cut if one == axis else slice(None) for one in range(3))
            for cut in (slice(None, -1), slice(1, None))
        ]
        for here, beside in (ends, ends[::-1]):
            pair = inside[here] & tissue[beside]
            step = np.where(there[here] & there[beside], wanted[here] - wanted[beside], 0)[pair]
            own, other = number[here][pair], number[beside][pair]
            free = other >= 0
            np.add.at(diagonal, own, weight)
            np.add.at(target, own, weight * (step + np.where(free, 0, values[beside][pair])))
            rows.append(own[free])
            columns.append(other[free])
            weights.append(np.full(int(free.sum()), -weight))
    matrix = sparse.csr_array(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n)
    ) + sparse.diags_array(diagonal)
    solution, _ = linalg.cg(
        matrix,
        target,
        x0=np.full(n, level),
        rtol=TOLERANCE,
        maxiter=MOST_STEPS,
        M=sparse.diags_array(1 / diagonal),
    )
    part = filled[box]
    part[inside] = solution
    return filled
