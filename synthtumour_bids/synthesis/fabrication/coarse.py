"""TF-Aug, the first stage: an annotated lesion, augmented, in a tumour-free brain.

After Dong et al., 2025 (arXiv 2511.18654); ``docs/fabrication.md`` tells what is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Axes, Numbers, Triple, triple
from ..noise import texture
from ..places import tissue_voxel, to_mm
from ..ranges import Csf
from .coarse_ranges import DEFAULT_RANGES, CoarseRanges
from .lesions import AnnotatedLesion
from .looks import Jitter, jittered, matched
from .rims import distance_mm, fade
from .scans import BrainScan
from .warp import Warp, landing, landing_box, origins, warped_classes, warped_images, warped_known

SHELL_MM = 8.0  # surroundings that are compared, from the lesion's border outwards
TRIES = 20  # places looked at before the best of them is taken
LABEL_SHARE = 0.5  # of the lesion's scan, from which its label holds and not the host's
PROBES = 400  # voxels of the lesion that tell whether it fits


@dataclass(frozen=True)
class CoarseParams:
    """How one lesion is put into one host.

    Attributes
    ----------
    lesion
        Its name; :func:`render` refuses another.
    warp, jitter
        Spatial transform and change of brightness.
    match
        Strength of the match to the surroundings, 0 to 1.
    margin_mm, rim_mm
        How far around the lesion its own surroundings are shown unmixed, and the width of the
        transition from there to the host.
    """

    lesion: str
    warp: Warp
    jitter: Jitter
    match: float
    margin_mm: float
    rim_mm: float

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CoarseParams:
        """Rebuild from what :meth:`to_json` gave, possibly through a file."""
        parts = {"warp": Warp(**_tuples(data["warp"])), "jitter": Jitter(**_tuples(data["jitter"]))}
        return cls(**{**data, **parts})


def sample(
    rng: np.random.Generator,
    host: BrainScan,
    lesion: AnnotatedLesion,
    *,
    ranges: CoarseRanges = DEFAULT_RANGES,
    volume_ml: float | None = None,
    place_mm: Triple | None = None,
    placement: Numbers | None = None,
    csf: Csf = "dark",
) -> CoarseParams:
    """Draw how a lesion is put into a host.

    Parameters
    ----------
    rng
        Any generator; :func:`..seeds.stream` gives reproducible ones.
    host, lesion
        On one template grid, with the same contrasts.
    ranges
        What to draw from.
    volume_ml
        Wanted volume, mL, before elastic deformation and the brain's border; None draws the scale.
    place_mm
        Wanted place of the lesion's centre, mm from the grid's first voxel; None draws it.
    placement
        Non-negative weights of where centres may lie, (X, Y, Z), such as tissue probabilities.
    csf
        Whether CSF is ``"dark"`` or ``"bright"`` in the first contrast; used without `placement`.

    Returns
    -------
    CoarseParams

    Raises
    ------
    ValueError
        If lesion and host do not fit together, or the wanted volume is not above 0.
    """
    _check(lesion, host)
    if volume_ml is not None and volume_ml <= 0:
        raise ValueError(f"The wanted volume must be above 0 mL, not {volume_ml:g}.")
    brain_ml = float(np.count_nonzero(host.brain) * np.prod(host.spacing)) / 1000
    most = np.cbrt(ranges.largest * brain_ml / lesion.volume_ml)
    size = min(ranges.scale.draw(rng), float(most))
    axes = np.array([ranges.axis_scale.draw(rng) for _ in range(3)])
    axes /= np.cbrt(axes.prod())
    if volume_ml is not None:
        size = float(np.cbrt(volume_ml / lesion.volume_ml))
    turned = Warp(
        place_mm=(0.0, 0.0, 0.0),
        flip=triple(bool(rng.random() < ranges.flip) for _ in range(3)),
        angles_deg=triple(ranges.angle_deg.draw(rng) for _ in range(3)),
        scale=triple(float(size * a) for a in axes),
        shear=triple(ranges.shear.draw(rng) for _ in range(3)),
        elastic_mm=ranges.elastic_mm.draw(rng),
        elastic_scale_mm=ranges.elastic_scale_mm.draw(rng),
        elastic_seed=int(rng.integers(2**31)),
    )
    jitter = Jitter(
        gamma=tuple(ranges.gamma.draw(rng) for _ in range(lesion.contrasts)),
        contrast=tuple(ranges.contrast.draw(rng) for _ in range(lesion.contrasts)),
        brightness=tuple(ranges.brightness.draw(rng) for _ in range(lesion.contrasts)),
        bias=ranges.bias.draw(rng),
        bias_scale_mm=ranges.bias_scale_mm.draw(rng),
        bias_seed=int(rng.integers(2**31)),
    )
    blend = [r.draw(rng) for r in (ranges.match, ranges.margin_mm, ranges.rim_mm)]
    if place_mm is None:
        place_mm = _place(rng, lesion, host, turned, ranges, placement, csf)
    warp = replace(turned, place_mm=place_mm)
    return CoarseParams(lesion.source, warp, jitter, *blend)


def render(host: BrainScan, lesion: AnnotatedLesion, params: CoarseParams) -> BrainScan:
    """Put a lesion into a host: the same bytes at every call.

    A host with lesions of its own keeps them where the new one does not cover them.

    Parameters
    ----------
    host, lesion
        Those that the parameters were drawn for.
    params
        From :func:`sample`.

    Returns
    -------
    BrainScan
        With the host's voxels, bit by bit, farther than ``margin_mm + rim_mm`` from the lesion and
        outside the brain. The label is cut at the brain; it may be the host's own, or empty, if
        the place was given.

    Raises
    ------
    ValueError
        If lesion and host do not fit together, or the parameters are of another lesion.
    """
    _check(lesion, host)
    if lesion.source != params.lesion:
        raise ValueError(f"These parameters are for {params.lesion}, not for {lesion.source}.")
    images, classes = np.array(host.images), np.array(host.classes)
    reach = params.margin_mm + params.rim_mm
    box = landing_box(params.warp, lesion, max(reach, SHELL_MM), host.grid)
    if box.empty:
        return host.with_voxels(images, classes)

    here = host.brain[box.slices]
    points = origins(params.warp, lesion, box)
    label = warped_classes(lesion, points) * here
    known = warped_known(lesion, points)
    distance = distance_mm(label > 0, host.spacing)
    share = np.where(label > 0, 1, fade(distance, params.margin_mm, params.rim_mm) * known) * here

    normal_host = classes[box.slices] == 0
    shell = here & normal_host & (known > 0.99) & (distance > 0) & (distance <= SHELL_MM)
    needed = shell | (share > 0)
    if not (label > 0).any():
        return host.with_voxels(images, classes)
    own = images[(slice(None), *box.slices)]
    values = warped_images(lesion, points[:, needed])
    around = shell[needed]
    values, normal = matched(values, values[:, around], own[:, shell], params.match)
    fields = _bias_fields(params.jitter, box.axes_mm(host.spacing), lesion.contrasts)
    values = jittered(values, normal, params.jitter, fields[:, needed])
    own[:, needed] += share[needed] * (values - own[:, needed])
    classes[box.slices] = np.where(share >= LABEL_SHARE, label, classes[box.slices])
    return host.with_voxels(images, classes)


def _place(
    rng: np.random.Generator,
    lesion: AnnotatedLesion,
    host: BrainScan,
    warp: Warp,
    ranges: CoarseRanges,
    placement: Numbers | None,
    csf: Csf,
) -> Triple:
    """Draw a place where most of the lesion lies inside the brain.

    At home (mirrored if the lesion is) or anywhere in tissue; the first of `TRIES` places that
    fits, or else the best of them.
    """
    voxels = np.argwhere(lesion.classes > 0) + lesion.start
    probes = voxels[rng.integers(len(voxels), size=min(PROBES, len(voxels)))] * lesion.spacing
    probes = landing(warp, lesion, probes)  # around (0, 0, 0)
    home = np.array(lesion.centre_mm)
    if warp.flip[0]:  # the template is symmetric about the middle of its first axis
        home[0] = (host.grid[0] - 1) * host.spacing[0] - home[0]
    at_home = bool(rng.random() < ranges.home)
    # Places are judged in multiples of normal brain; here normal brain is 0 with a spread of 1.
    judged = 1 + host.images[0] / 4 if placement is None and not at_home else host.images[0]
    best, best_fit = to_mm((0, 0, 0), host.spacing), -1.0
    for _ in range(TRIES):
        if at_home:
            place = home + rng.normal(0, ranges.home_jitter_mm, 3)
        else:
            voxel = tissue_voxel(rng, judged, host.brain, host.spacing, 1.0, csf, placement)
            place = np.array(to_mm(voxel, host.spacing))
        fit = _share_inside(probes + place, host)
        if fit > best_fit:
            best, best_fit = triple(place.tolist()), fit
        if fit >= ranges.fit:
            break
    return best


def _share_inside(points_mm: NDArray[np.floating[Any]], host: BrainScan) -> float:
    voxels = np.round(points_mm / host.spacing).astype(int)
    inside = ((voxels >= 0) & (voxels < host.grid)).all(axis=1)
    i, j, k = voxels[inside].T
    return float(np.count_nonzero(host.brain[i, j, k]) / len(voxels))


def _bias_fields(jitter: Jitter, axes_mm: Axes, contrasts: int) -> NDArray[np.float32]:
    if jitter.bias == 0:
        return np.zeros((contrasts, *(len(axis) for axis in axes_mm)), dtype=np.float32)
    return np.stack(
        [texture(axes_mm, jitter.bias_seed + c, jitter.bias_scale_mm) for c in range(contrasts)]
    )


def _check(lesion: AnnotatedLesion, host: BrainScan) -> None:
    if lesion.contrasts != host.contrasts:
        raise ValueError(
            f"{lesion.source} has {lesion.contrasts} contrast(s), the host {host.source} has "
            f"{host.contrasts}; both must have the same, in the same order."
        )
    if lesion.grid != host.grid or lesion.spacing != host.spacing:
        raise ValueError(
            f"{lesion.source} and the host {host.source} must lie on one template grid; found "
            f"{lesion.grid} voxels of {lesion.spacing} mm and {host.grid} of {host.spacing} mm."
        )


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list | tuple) else v for k, v in data.items()}
