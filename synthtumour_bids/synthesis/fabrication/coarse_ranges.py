"""What coarse samples are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

from ..ranges import Range


@dataclass(frozen=True)
class CoarseRanges:
    """Ranges of the augmentation of one lesion and of its place.

    Attributes
    ----------
    flip
        Probability of a mirror image, for each axis.
    angle_deg, scale, axis_scale, shear
        Rotation about each axis, common scale, scale along each axis relative to it, shear.
    elastic_mm, elastic_scale_mm
        Strength and feature size of the elastic displacement.
    gamma, contrast, brightness, bias, bias_scale_mm
        See :class:`.looks.Jitter`; brightness in spreads of normal brain.
    match
        Strength of the match to the new surroundings.
    margin_mm, rim_mm
        See :class:`.coarse.CoarseParams`.
    home, home_jitter_mm
        Share of lesions that land near their own place on the template, and the standard
        deviation around it; the others land anywhere in tissue.
    fit
        Share of the lesion that should lie inside the brain.
    largest
        Share of the brain that a lesion may take whose volume is not asked for.
    """

    flip: float
    angle_deg: Range
    scale: Range
    axis_scale: Range
    shear: Range
    elastic_mm: Range
    elastic_scale_mm: Range
    gamma: Range
    contrast: Range
    brightness: Range
    bias: Range
    bias_scale_mm: Range
    match: Range
    margin_mm: Range
    rim_mm: Range
    home: float
    home_jitter_mm: float
    fit: float
    largest: float


DEFAULT_RANGES = CoarseRanges(
    flip=0.5,
    angle_deg=Range(-30, 30),
    scale=Range(0.75, 1.3, "log"),
    axis_scale=Range(0.9, 1.1, "log"),
    shear=Range(-0.1, 0.1),
    elastic_mm=Range(0, 2.5),
    elastic_scale_mm=Range(18, 40),
    gamma=Range(0.8, 1.25, "log"),
    contrast=Range(0.8, 1.2),
    brightness=Range(-0.15, 0.15),
    bias=Range(0, 0.15),
    bias_scale_mm=Range(25, 50),
    match=Range(0.5, 1),
    margin_mm=Range(0.5, 3),
    rim_mm=Range(2, 5),
    home=0.5,
    home_jitter_mm=8.0,
    fit=0.9,
    largest=0.25,
)
