"""Stage 2: mix real tumours, cut out along their pseudo-labels, into tumour-free brains.

Both scans lie on the template grid, so a tumour lands on the matching anatomy of its host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .brain import Brain
from .geometry import Box, Mask, MaskLike, Numbers, Spacing, Triple, box_of, smoothstep, triple
from .ranges import Range

LABEL_SHARE = 0.5  # of the tumour scan, from which a mixed voxel counts as tumour
MIN_NORMAL = 100  # voxels of normal brain needed for its mean and spread


@dataclass(frozen=True)
class MixRanges:
    """What mixes are drawn from; see :class:`MixParams`.

    Attributes
    ----------
    flip
        Probability of a mirror image.
    shift_mm
        Displacement along each axis.
    offset_mm, rim_mm, contrast, brightness
        Ranges of the parameters of these names.
    normal_brain_only
        Handed on as it is.
    """

    flip: float
    shift_mm: Range
    offset_mm: Range
    rim_mm: Range
    contrast: Range
    brightness: Range
    normal_brain_only: bool


# Cut inside the pseudo-label, a tumour brings no normal brain with it, and at less contrast than
# it had it stands for tumours that the junior hardly sees.
DEFAULT_MIX = MixRanges(
    flip=0.5,
    shift_mm=Range(-6, 6),
    offset_mm=Range(-4, 0),
    rim_mm=Range(1, 5),
    contrast=Range(0.4, 1.2),
    brightness=Range(-0.1, 0.1),
    normal_brain_only=True,
)
# Made to measure a senior by, a mix is to be as hard as a scan, and not harder.
LIKE_SCANS = replace(
    DEFAULT_MIX, offset_mm=Range(0, 0), contrast=Range(1, 1), brightness=Range(0, 0)
)
# Pasted hard, exactly along the pseudo-label: there is nothing to draw.
PUBLISHED_MIX = MixRanges(
    flip=0.0,
    shift_mm=Range(0, 0),
    offset_mm=Range(0, 0),
    rim_mm=Range(0, 0),
    contrast=Range(1, 1),
    brightness=Range(0, 0),
    normal_brain_only=False,
)


@dataclass(frozen=True)
class MixParams:
    """How one tumour is put into its host.

    Attributes
    ----------
    flip
        Mirror the tumour scan left-right (array axis 0; the template grid is symmetric).
    shift_mm
        Displacement of the tumour along the array's axes.
    offset_mm
        Where the tumour is cut: this far outside (or, negative, inside) its pseudo-label's border,
        but never deeper than half-way into it.
    rim_mm
        Width of the transition from tumour scan to host, centred on the cut.
    contrast, brightness
        Factor on the tumour's excess over normal brain, and an offset, in standard deviations of
        normal brain.
    normal_brain_only
        Whether the tumour is left out of its scan's mean and standard deviation.
    """

    flip: bool
    shift_mm: Triple
    offset_mm: float
    rim_mm: float
    contrast: float
    brightness: float
    normal_brain_only: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MixParams:
        """Rebuild from what :meth:`to_json` gave, possibly through a file."""
        return cls(**{**data, "shift_mm": triple(data["shift_mm"])})


def sample_mix(rng: np.random.Generator, ranges: MixRanges = DEFAULT_MIX) -> MixParams:
    """Draw the parameters of one mix.

    Parameters
    ----------
    rng
        Any generator; :func:`.seeds.stream` gives reproducible ones.
    ranges
        What to draw from.
    """
    return MixParams(
        flip=bool(rng.random() < ranges.flip),
        shift_mm=triple(ranges.shift_mm.draw(rng) for _ in range(3)),
        offset_mm=ranges.offset_mm.draw(rng),
        rim_mm=ranges.rim_mm.draw(rng),
        contrast=ranges.contrast.draw(rng),
        brightness=ranges.brightness.draw(rng),
        normal_brain_only=ranges.normal_brain_only,
    )


def mix(
    tumour: Brain, label: MaskLike, host: Brain, params: MixParams
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Put a tumour into a host.

    Parameters
    ----------
    tumour
        The scan with the tumour.
    label
        Its pseudo-label, (X, Y, Z), above 0 in the tumour.
    host
        A tumour-free scan on the same grid.
    params
        See :func:`sample_mix`.

    Returns
    -------
    image : ndarray of float32
        (X, Y, Z), on the host's intensity scale, zero outside the host's brain.
    label : ndarray of uint8
        (X, Y, Z), 1 where the tumour scan makes up at least half of the mix, inside both brains
        only.

    Raises
    ------
    ValueError
        If the arrays do not share a grid.

    Notes
    -----
    Brightness is matched on normal brain, as mean and standard deviation inside the brain masks.
    The published procedure, which took them over the whole array, background included, did not
    leave the tumour out (`MixParams.normal_brain_only`).

    The label follows the cut, not the pseudo-label: tumour that the pseudo-label missed stays
    behind in its own scan, so what a mix shows and what its label says agree even where the
    pseudo-label is wrong. That is how the senior can become better than the junior.
    """
    shapes = [np.shape(a) for a in (tumour.image, label, host.image)]
    if len(set(shapes)) != 1 or tumour.spacing != host.spacing:
        raise ValueError(
            "Tumour scan, label and host must share one 3-D grid; got shapes "
            f"{', '.join(map(str, shapes))} and voxels of {tumour.spacing} and {host.spacing} mm."
        )
    spacing = host.spacing
    image, brain = tumour.image, tumour.mask
    mask = (np.asarray(label) > 0) & brain
    reach = max(params.offset_mm + params.rim_mm / 2, 0.0)
    out = np.where(host.mask, host.image, 0).astype(np.float32)
    out_label = np.zeros(out.shape, dtype=np.uint8)

    measured = _normal_brain(brain, mask, reach, spacing) if params.normal_brain_only else brain
    source_mean, source_std = _mean_and_std(image, measured)
    host_mean, host_std = _mean_and_std(host.image, host.mask)

    if params.flip:
        image, brain, mask = image[::-1], brain[::-1], mask[::-1]
    tight = box_of(mask)
    if tight.empty:
        return out, out_label
    margin = triple(int(np.ceil(reach / s)) + 1 for s in spacing)
    target, source = _moved(tight.grown(margin, mask.shape), params.shift_mm, spacing, mask.shape)
    if target.empty or not mask[source.slices].any():
        return out, out_label

    here = host.mask[target.slices] & brain[source.slices]
    share = _share(mask[source.slices], params, spacing) * here
    z = (image[source.slices] - source_mean) / source_std
    z = params.contrast * z + params.brightness
    region = out[target.slices]
    region += share * ((z * host_std + host_mean).astype(np.float32) - region)
    region *= host.mask[target.slices]
    out_label[target.slices] = share >= LABEL_SHARE
    return out, out_label


def _normal_brain(brain: Mask, tumour: Mask, margin_mm: float, spacing: Spacing) -> Mask:
    """Brain without the tumour and its surroundings; all of it where too little would be left."""
    if not tumour.any():
        return brain
    normal = brain & ~_dilated(tumour, max(1, round(margin_mm / min(spacing))))
    return normal if np.count_nonzero(normal) >= MIN_NORMAL else brain


def _mean_and_std(image: Numbers, where: Mask) -> tuple[float, float]:
    values = image[where].astype(np.float64)
    if not values.size:
        return 0.0, 1.0
    return float(values.mean()), float(values.std()) + 1e-8


def _dilated(mask: Mask, steps: int) -> Mask:
    out = np.array(mask)
    box = box_of(mask).grown((steps,) * 3, mask.shape)
    out[box.slices] = ndimage.binary_dilation(mask[box.slices], iterations=steps)
    return out


def _share(mask: Mask, params: MixParams, spacing: Spacing) -> NDArray[np.float32]:
    """Share of the tumour scan in the mix: 1 inside, 1/2 on the cut, 0 outside."""
    if params.rim_mm == 0 and params.offset_mm == 0:
        return mask.astype(np.float32)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    # Both distances end at voxel centres; the border lies half a voxel before them.
    half = 0.5 * min(spacing)
    distance = np.where(mask, half - inside, outside - half)
    distance -= _offset(mask, inside - half, params.offset_mm, spacing)
    ramp = np.clip(0.5 - distance / max(params.rim_mm, 1e-6), 0, 1)
    return smoothstep(ramp).astype(np.float32)


def _offset(
    mask: Mask, depth: NDArray[np.floating[Any]], offset_mm: float, spacing: Spacing
) -> float | NDArray[np.floating[Any]]:
    """Where to cut: no deeper than half-way into each part, which would be seen without a label."""
    parts, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    deepest = ndimage.maximum(depth, parts, np.arange(1, count + 1))
    allowed = np.maximum(offset_mm, -0.5 * np.atleast_1d(deepest))
    if (allowed == offset_mm).all():
        return offset_mm
    nearest = ndimage.distance_transform_edt(
        ~mask, sampling=spacing, return_distances=False, return_indices=True
    )
    result: NDArray[np.floating[Any]] = allowed[parts[tuple(nearest)] - 1]
    return result


def _moved(box: Box, shift_mm: Triple, spacing: Spacing, shape: tuple[int, ...]) -> tuple[Box, Box]:
    """Where a box lands after a shift by whole voxels, cut at the array's ends, and its origin."""
    shift = [round(mm / s) for mm, s in zip(shift_mm, spacing, strict=True)]
    landed = box.moved(shift)
    target = Box.of(
        (max(a, 0) for a in landed.start),
        (min(b, n) for b, n in zip(landed.stop, shape, strict=True)),
    )
    return target, target.moved(-d for d in shift)
