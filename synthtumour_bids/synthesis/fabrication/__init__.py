"""Fabrication: samples made of annotated lesions, after Dong et al., 2025 (arXiv 2511.18654).

``Fabricator`` and ``train`` need torch, the other names numpy and scipy alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...lazy import public

if TYPE_CHECKING:  # isort: off
    from .coarse import CoarseParams as CoarseParams, render as render, sample as sample
    from .coarse_ranges import DEFAULT_RANGES as DEFAULT_RANGES, CoarseRanges as CoarseRanges
    from .fabricator import Fabricator as Fabricator
    from .gan_settings import FAST as FAST, FULL as FULL, GanSettings as GanSettings
    from .gan_training import TrainingData as TrainingData, train as train
    from .lesions import (
        AnnotatedLesion as AnnotatedLesion,
        cut_out as cut_out,
        pick_lesion as pick_lesion,
    )
    from .scans import (
        BrainScan as BrainScan,
        Scale as Scale,
        make_scan as make_scan,
        on_own_scale as on_own_scale,
    )
    from .split import Annotated as Annotated, split_annotated as split_annotated

# isort: on
_NAMES = {
    "scans": ("BrainScan", "Scale", "make_scan", "on_own_scale"),
    "lesions": ("AnnotatedLesion", "cut_out", "pick_lesion"),
    "coarse_ranges": ("CoarseRanges", "DEFAULT_RANGES"),
    "coarse": ("CoarseParams", "sample", "render"),
    "split": ("Annotated", "split_annotated"),
    "gan_settings": ("GanSettings", "FULL", "FAST"),
    "gan_training": ("TrainingData", "train"),
    "fabricator": ("Fabricator",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted(_HOMES)


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # where types are checked, the imports above are all there is

    def __getattr__(name: str) -> Any:
        return public(__name__, _HOMES, name)
