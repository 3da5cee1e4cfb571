"""Stage 2: mix real tumours, cut out along their pseudo-labels, into tumour-free brains.

Both scans lie on the template grid, so a tumour lands on the matching anatomy of its host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .boxes import Box, Spacing, box_of

PRESETS = ("default", "reference")
LABEL_SHARE = 0.5  # of the tumour scan, from which a mixed voxel counts as tumour
MIN_NORMAL = 100  # voxels of normal brain needed for its mean and spread


@dataclass(frozen=True)
class Pair:
    """One mix to make: a tumour scan, its host, and the mix's number."""

    tumour: str
    host: str
    index: int


@dataclass(frozen=True)
class MixParams:
    """How one tumour is put into its host.

    Attributes
    ----------
    preset
        ``"default"`` or ``"reference"`` (hard paste exactly along the pseudo-label).
    flip
        Mirror the tumour scan left-right (array axis 0; the template grid is symmetric).
    shift_mm
        Displacement of the tumour along the array's axes.
    offset_mm
        Where the tumour is cut: this far outside (or, negative, inside) its pseudo-label's border.
    rim_mm
        Width of the transition from tumour scan to host, centred on the cut.
    contrast, brightness
        Factor on the tumour's excess over normal brain, and an offset, in standard deviations of
        normal brain.
    """

    preset: str
    flip: bool
    shift_mm: tuple[float, float, float]
    offset_mm: float
    rim_mm: float
    contrast: float
    brightness: float

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MixParams:
        """Rebuild from what :meth:`to_json` gave."""
        x, y, z = data["shift_mm"]
        return cls(**{**data, "shift_mm": (x, y, z)})


def plan_pairs(tumours: Sequence[str], hosts: Sequence[str], n: int, seed: int) -> list[Pair]:
    """Pair tumour scans with hosts, each used as often as the others (within one).

    With 100 tumours, 200 hosts and n = 200 this is the published plan: two permutations of the
    tumours over one of the hosts. Any other numbers work too; a pair is repeated only when fewer
    than `n` different pairs exist.

    Parameters
    ----------
    tumours, hosts
        Scan keys, in any order.
    n
        Number of mixes.
    seed
        Fixes the plan.

    Raises
    ------
    ValueError
        If mixes are wanted but there is no tumour or no host.
    """
    if n <= 0:
        return []
    if not tumours or not hosts:
        raise ValueError(
            f"Mixing needs at least one tumour scan with a pseudo-label and one tumour-free host; "
            f"found {len(tumours)} and {len(hosts)}."
        )
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, n])))
    order = _decks(rng, sorted(tumours), n)
    deck: list[str] = []
    used: set[tuple[str, str]] = set()
    pairs = []
    for index, tumour in enumerate(order):
        if not deck:
            deck = _decks(rng, sorted(hosts), len(hosts))
            if len(used) >= len(set(tumours)) * len(set(hosts)):
                used.clear()
        fresh = [i for i, host in enumerate(deck) if (tumour, host) not in used]
        host = deck.pop(fresh[0] if fresh else 0)
        used.add((tumour, host))
        pairs.append(Pair(tumour, host, index))
    return pairs


def sample_mix(rng: np.random.Generator, preset: str = "default") -> MixParams:
    """Draw the parameters of one mix.

    Default: flip with probability 1/2, shift ~ U(-6, 6) mm per axis, offset ~ U(-4, 0) mm, rim
    ~ U(1, 5) mm, contrast ~ U(0.4, 1.2), brightness ~ U(-0.1, 0.1). Cut inside the pseudo-label, a
    tumour brings no normal brain with it, and at less contrast than it had it stands for tumours
    that the junior hardly sees. The reference preset has nothing to draw.
    """
    if preset not in PRESETS:
        raise ValueError(f"Preset '{preset}' must be one of {PRESETS}.")
    if preset == "reference":
        return MixParams("reference", False, (0.0, 0.0, 0.0), 0.0, 0.0, 1.0, 0.0)
    flip = bool(rng.random() < 0.5)
    x, y, z = (float(s) for s in rng.uniform(-6, 6, 3))
    return MixParams(
        preset="default",
        flip=flip,
        shift_mm=(x, y, z),
        offset_mm=float(rng.uniform(-4, 0)),
        rim_mm=float(rng.uniform(1, 5)),
        contrast=float(rng.uniform(0.4, 1.2)),
        brightness=float(rng.uniform(-0.1, 0.1)),
    )


def mix(
    tumour_image: NDArray[Any],
    tumour_label: NDArray[Any],
    tumour_brain: NDArray[Any],
    host_image: NDArray[Any],
    host_brain: NDArray[Any],
    spacing: Spacing,
    params: MixParams,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Put a tumour into a host.

    Parameters
    ----------
    tumour_image, tumour_label, tumour_brain
        Scan, pseudo-label and brain mask of the tumour, (X, Y, Z).
    host_image, host_brain
        Tumour-free scan and its brain mask, same grid.
    spacing
        Voxel size, mm.
    params
        See :func:`sample_mix`.

    Returns
    -------
    image : ndarray of float32
        On the host's intensity scale, zero outside the host's brain.
    label : ndarray of uint8
        Where the tumour scan makes up at least half of the mix, inside both brains only.

    Raises
    ------
    ValueError
        If the arrays do not share a grid.

    Notes
    -----
    Brightness is matched on normal brain, as mean and standard deviation inside the brain masks;
    the default preset also leaves the tumour out of its scan's statistics, the reference preset
    (which published statistics over the whole array, background included) does not.

    The label follows the cut, not the pseudo-label: tumour that the pseudo-label missed stays
    behind in its own scan, so what a mix shows and what its label says agree even where the
    pseudo-label is wrong. That is how the senior can become better than the junior.
    """
    arrays = (tumour_image, tumour_label, tumour_brain, host_image, host_brain)
    if len({a.shape for a in arrays}) != 1 or host_image.ndim != 3:
        raise ValueError(f"All arrays must share one 3-D grid; got {[a.shape for a in arrays]}.")
    host_brain = np.asarray(host_brain) > 0
    tumour_brain = np.asarray(tumour_brain) > 0
    mask = (np.asarray(tumour_label) > 0) & tumour_brain
    reach = max(params.offset_mm + params.rim_mm / 2, 0.0)
    out = np.where(host_brain, host_image, 0).astype(np.float32)
    label = np.zeros(out.shape, dtype=np.uint8)

    reference = params.preset == "reference"
    source_mean, source_std = _statistics(
        tumour_image, tumour_brain, None if reference else mask, (reach, spacing)
    )
    host_mean, host_std = _statistics(host_image, host_brain, None, None)

    if params.flip:
        tumour_image, tumour_brain, mask = (a[::-1] for a in (tumour_image, tumour_brain, mask))
    i, j, k = (int(np.ceil(reach / s)) + 1 for s in spacing)
    tight = box_of(mask)
    if tight.empty:
        return out, label
    target, source = _moved(
        tight.grown((i, j, k), mask.shape), params.shift_mm, spacing, mask.shape
    )
    if target.empty:
        return out, label

    here = host_brain[target.slices] & tumour_brain[source.slices]
    share = _share(mask[source.slices], params, spacing) * here
    z = (tumour_image[source.slices] - source_mean) / source_std
    z = params.contrast * z + params.brightness
    region = out[target.slices]
    region += share * ((z * host_std + host_mean).astype(np.float32) - region)
    region *= host_brain[target.slices]
    label[target.slices] = share >= LABEL_SHARE
    return out, label


def _statistics(
    image: NDArray[Any],
    brain: NDArray[Any],
    tumour: NDArray[Any] | None,
    around: tuple[float, Spacing] | None,
) -> tuple[float, float]:
    """Mean and standard deviation of the brain, the tumour and its surroundings left out."""
    normal = brain
    if tumour is not None and around is not None and tumour.any():
        margin_mm, spacing = around
        steps = max(1, round(margin_mm / min(spacing)))
        normal = brain & ~_dilated(tumour, steps)
        if np.count_nonzero(normal) < MIN_NORMAL:
            normal = brain
    values = image[normal].astype(np.float64)
    if not values.size:
        return 0.0, 1.0
    return float(values.mean()), float(values.std()) + 1e-8


def _dilated(mask: NDArray[Any], steps: int) -> NDArray[np.bool_]:
    out = np.array(mask)
    box = box_of(mask).grown((steps,) * 3, mask.shape)
    out[box.slices] = ndimage.binary_dilation(mask[box.slices], iterations=steps)
    return out


def _share(mask: NDArray[Any], params: MixParams, spacing: Spacing) -> NDArray[np.float32]:
    """Share of the tumour scan in the mix: 1 inside, 1/2 on the cut, 0 outside."""
    if params.preset == "reference":
        return mask.astype(np.float32)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    # Both distances end at voxel centres; the border lies half a voxel before them.
    half = 0.5 * min(spacing)
    distance = np.where(mask, half - inside, outside - half) - params.offset_mm
    ramp = np.clip(0.5 - distance / max(params.rim_mm, 1e-6), 0, 1)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def _moved(
    box: Box, shift_mm: tuple[float, float, float], spacing: Spacing, shape: tuple[int, ...]
) -> tuple[Box, Box]:
    """Where a box lands after a shift by whole voxels, cut at the array's ends, and its origin."""
    shift = [round(mm / s) for mm, s in zip(shift_mm, spacing, strict=True)]
    start = [max(a + d, 0) for a, d in zip(box.start, shift, strict=True)]
    stop = [min(b + d, n) for b, d, n in zip(box.stop, shift, shape, strict=True)]
    target = Box(tuple(start), tuple(stop))  # type: ignore[arg-type]
    source = Box(
        tuple(a - d for a, d in zip(start, shift, strict=True)),  # type: ignore[arg-type]
        tuple(b - d for b, d in zip(stop, shift, strict=True)),  # type: ignore[arg-type]
    )
    return target, source


def _decks(rng: np.random.Generator, keys: Sequence[str], n: int) -> list[str]:
    """`n` keys: fresh permutations one after another."""
    out: list[str] = []
    while len(out) < n:
        out += [keys[i] for i in rng.permutation(len(keys))]
    return out[:n]
