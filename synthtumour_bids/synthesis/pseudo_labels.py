"""Quality control of pseudo-labels, without any truth.

A pseudo-label is judged by what can be seen in it: its size, how sure the network is inside it,
how sharp its border is, how scattered it is, where it lies, and how well a second opinion (the
mirrored prediction, or another network) agrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .geometry import Mask, MaskLike, Spacing, box_of, dice


@dataclass(frozen=True)
class Criteria:
    """When a pseudo-label is good enough to learn from.

    Attributes
    ----------
    threshold
        Probability from which a voxel counts as tumour.
    min_component_ml, min_component_share
        Components smaller than this volume, or than this share of the largest, are specks.
    fill_holes
        Count cavities that the label encloses as tumour: whole-tumour labels include them.
    min_volume_ml, max_brain_fraction
        Limits of the whole label.
    min_confidence
        Mean probability inside the label.
    max_undecided_ratio
        Volume of undecided voxels (probability 0.2 to 0.8), as a share of the label's volume.
    max_components
        Components left once the specks are gone.
    min_agreement
        Dice of the label with the second opinion.
    max_outside
        Share of the prediction that lies outside the brain mask and is cut off. It is small
        where the image that the network saw is 0 outside the same mask.
    max_symmetry
        Share of the label whose mirror image (array axis 0, left-right on the template grid) is
        labelled too: tumours are mostly one-sided, rims around the ventricles are not.
    """

    threshold: float = 0.5
    min_component_ml: float = 0.3
    min_component_share: float = 0.03
    fill_holes: bool = True
    min_volume_ml: float = 1.0
    max_brain_fraction: float = 0.35
    min_confidence: float = 0.75
    max_undecided_ratio: float = 0.8
    max_components: int = 6
    min_agreement: float = 0.6
    max_outside: float = 0.1
    max_symmetry: float = 0.6


MOST_OF_A_BRAIN = 0.5  # no tumour fills it; a network that says so has found none
GLIOMA = Criteria()
# Metastases and strokes are small and many, and far smaller than the largest of them.
SCATTERED = Criteria(
    min_component_ml=0.05, min_component_share=0.0, min_volume_ml=0.1, max_components=30
)


def criteria_for(lesion: str) -> Criteria:
    """Criteria of a kind of lesion's pseudo-labels."""
    return GLIOMA if lesion == "glioma" else SCATTERED


def final_criteria(lesion: str) -> Criteria:
    """How a final segmentation is cleaned: a satellite stays, however small beside the tumour."""
    return replace(criteria_for(lesion), min_component_share=0.0)


@dataclass(frozen=True, eq=False)
class PseudoLabel:
    """A cleaned pseudo-label and the verdict on it.

    Attributes
    ----------
    mask
        bool, (X, Y, Z), inside the brain, without specks.
    accepted
        Whether it may be learned from.
    reasons
        Why not; empty when accepted.
    stats
        ``volume_mL``, ``brain_fraction``, ``confidence``, ``undecided_ratio``, ``entropy_mL``,
        ``components``, ``specks_mL``, ``filled_mL``, ``outside``, ``symmetry`` and,
        with a second opinion, ``agreement``.
    plausible_size
        Whether its volume and its share of the brain are within the limits.
    """

    mask: NDArray[np.bool_]
    accepted: bool
    reasons: tuple[str, ...]
    stats: dict[str, float] = field(default_factory=dict)
    plausible_size: bool = True


@dataclass(frozen=True)
class Selection:
    """Which scans of a cohort are mixed.

    ``accepted`` passed every criterion; ``relaxed`` did not, but are the best of the rest, taken
    because too few passed. ``note`` says so in a sentence (empty when none was relaxed).
    """

    accepted: tuple[str, ...]
    relaxed: tuple[str, ...]
    note: str

    @property
    def names(self) -> tuple[str, ...]:
        """All scans to use, sorted."""
        return tuple(sorted(self.accepted + self.relaxed))


def assess(
    probability: NDArray[np.floating[Any]],
    brain: MaskLike,
    spacing: Spacing,
    *,
    reference_probability: NDArray[np.floating[Any]] | None = None,
    criteria: Criteria | None = None,
) -> PseudoLabel:
    """Clean and judge one prediction.

    Parameters
    ----------
    probability
        Tumour probability, (X, Y, Z), in [0, 1].
    brain
        Brain mask on the same grid, above 0 in the brain.
    spacing
        Voxel size, mm.
    reference_probability
        A second opinion on the same scan, (X, Y, Z), in [0, 1].
    criteria
        Limits; the defaults of :class:`Criteria` when left out.

    Returns
    -------
    PseudoLabel
        The label without specks and holes, and the verdict on it.

    Raises
    ------
    ValueError
        If the arrays do not share a grid or the brain mask is empty.
    """
    rules = criteria or Criteria()
    allowed: Mask = np.asarray(brain) > 0
    if probability.shape != allowed.shape:
        raise ValueError(
            f"Probability, {probability.shape}, and brain mask, {allowed.shape}, differ in grid."
        )
    brain_voxels = int(np.count_nonzero(allowed))
    if not brain_voxels:
        raise ValueError("The brain mask is empty, so the prediction cannot be judged.")
    voxel_ml = float(np.prod(spacing)) / 1000

    raw = probability >= rules.threshold
    inside = raw & allowed
    mask, n_components = _without_specks(inside, voxel_ml, rules)
    kept = int(np.count_nonzero(mask))
    if rules.fill_holes:
        mask = _filled(mask) & allowed
    size = int(np.count_nonzero(mask))
    total = int(np.count_nonzero(raw))
    undecided = allowed & (probability > 0.2) & (probability < 0.8)
    stats = {
        "volume_mL": size * voxel_ml,
        "brain_fraction": size / brain_voxels,
        "confidence": float(probability[mask].mean(dtype=np.float64)) if size else 0.0,
        "undecided_ratio": float(np.count_nonzero(undecided) / size) if size else float("inf"),
        "entropy_mL": _entropy(probability[undecided]) * voxel_ml,
        "components": float(n_components),
        "specks_mL": float(np.count_nonzero(inside) - kept) * voxel_ml,
        "filled_mL": (size - kept) * voxel_ml,
        "outside": float((total - np.count_nonzero(inside)) / total) if total else 0.0,
        "symmetry": float(np.count_nonzero(mask & mask[::-1]) / size) if size else 0.0,
    }
    if reference_probability is not None:
        other = (reference_probability >= rules.threshold) & allowed
        stats["agreement"] = dice(mask, other)
    reasons = _reasons(stats, rules)
    return PseudoLabel(mask, not reasons, reasons, stats, not _size_faults(stats, rules))


def select(labels: Mapping[str, PseudoLabel], minimum: int = 4, share: float = 0.5) -> Selection:
    """Choose the scans of a cohort whose pseudo-labels are learned from.

    All accepted ones; when these are fewer than ``max(minimum, share x cohort)``, the best of the
    others (by size, confidence and, with half its weight, agreement, among labels that are neither
    empty nor most of the brain) fill up, so that a weak first network does not leave the second
    without anything to learn from.

    Parameters
    ----------
    labels
        Verdict per scan.
    minimum, share
        How many scans are wanted at least: so many, and this share of the cohort.

    Returns
    -------
    Selection
    """
    accepted = sorted(name for name, label in labels.items() if label.accepted)
    wanted = min(len(labels), max(minimum, int(np.ceil(share * len(labels)))))
    spare = [
        name
        for name, label in labels.items()
        if not label.accepted
        and label.stats["volume_mL"] > 0
        and label.stats["brain_fraction"] <= MOST_OF_A_BRAIN
    ]
    spare.sort(key=lambda name: (-_rank(labels[name]), name))
    relaxed = sorted(spare[: max(wanted - len(accepted), 0)])
    note = ""
    if relaxed:
        note = (
            f"{len(accepted)} of {len(labels)} pseudo-labels passed quality control and "
            f"{wanted} were wanted; the most confident of the others were added: "
            f"{', '.join(relaxed)}."
        )
    return Selection(tuple(accepted), tuple(relaxed), note)


def _rank(label: PseudoLabel) -> float:
    """Rank of a label that did not pass: of a plausible size, sure, and agreed upon."""
    stats = label.stats
    penalty = 0.0 if label.plausible_size else 0.5
    return stats["confidence"] + 0.5 * stats.get("agreement", 0.5) - penalty


def _without_specks(mask: Mask, voxel_ml: float, rules: Criteria) -> tuple[NDArray[np.bool_], int]:
    out = np.zeros(mask.shape, dtype=bool)
    box = box_of(mask)
    if box.empty:
        return out, 0
    # Diagonal neighbours count: a lesion must not fall to pieces at a thin bridge.
    components, n = ndimage.label(mask[box.slices], structure=np.ones((3, 3, 3)))
    sizes = np.bincount(components.ravel(), minlength=n + 1).astype(float)
    sizes[0] = 0
    limit = max(rules.min_component_ml / voxel_ml, rules.min_component_share * sizes.max())
    keep = sizes >= max(limit, 1)
    out[box.slices] = keep[components]
    return out, int(keep.sum())


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    out = np.array(mask)
    box = box_of(mask)
    if not box.empty:
        out[box.slices] = ndimage.binary_fill_holes(mask[box.slices])
    return out


def _entropy(p: NDArray[np.floating[Any]]) -> float:
    """Sum of the binary entropy, in bits."""
    p = np.clip(p.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).sum())


def _reasons(stats: Mapping[str, float], rules: Criteria) -> tuple[str, ...]:
    if stats["volume_mL"] == 0:
        return ("nothing was labelled (volume 0 mL once specks were removed)",)
    found = _size_faults(stats, rules)
    limits = (
        ("confidence", rules.min_confidence, -1, "mean probability inside the label"),
        ("undecided_ratio", rules.max_undecided_ratio, 1, "undecided volume per labelled volume"),
        ("components", rules.max_components, 1, "number of components"),
        ("outside", rules.max_outside, 1, "share of the prediction outside the brain"),
        ("symmetry", rules.max_symmetry, 1, "share of the label that its mirror image repeats"),
        ("agreement", rules.min_agreement, -1, "Dice with the second opinion"),
    )
    for key, limit, sign, what in limits:
        if key in stats and sign * (stats[key] - limit) > 0:
            side = "above" if sign > 0 else "below"
            found.append(f"{what} is {stats[key]:.2g}, {side} {limit:g}")
    return tuple(found)


def _size_faults(stats: Mapping[str, float], rules: Criteria) -> list[str]:
    found = []
    if stats["volume_mL"] < rules.min_volume_ml:
        found.append(f"volume {stats['volume_mL']:.2g} mL is below {rules.min_volume_ml:g} mL")
    if stats["brain_fraction"] > rules.max_brain_fraction:
        found.append(
            f"label fills {stats['brain_fraction']:.0%} of the brain, above "
            f"{rules.max_brain_fraction:.0%}"
        )
    return found
