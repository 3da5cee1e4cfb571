"""Synthetic and mixed tumours: arrays in, arrays out; numpy and scipy (fabrication: torch, too).

Names are imported when they are first used. ``docs/usage/python.md`` goes through them.

Examples
--------
>>> from synthtumour_bids import synthesis
>>> priors = synthesis.load_priors("glioma", "FLAIR")
>>> priors.csf
'dark'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..lazy import public

if TYPE_CHECKING:  # isort: off
    from . import fabrication as fabrication
    from .borders import Evidence as Evidence, refine_borders as refine_borders
    from .brain import Brain as Brain
    from .healthy_half import HealthyHalf as HealthyHalf, mirror_healthy_half as mirror_healthy_half
    from .hosts import samples_plan as samples_plan, split_hosts as split_hosts
    from .pairs import Pair as Pair, plan_pairs as plan_pairs
    from .priors import (
        Priors as Priors,
        load_priors as load_priors,
        packaged_lesions as packaged_lesions,
    )
    from .pseudo_labels import (
        Criteria as Criteria,
        PseudoLabel as PseudoLabel,
        assess as assess,
        select as select,
    )
    from .purpose import Purpose as Purpose
    from .seeds import stream as stream
    from .stage_one import (
        Sample as Sample,
        Sampler as Sampler,
        params_from_json as params_from_json,
        params_to_json as params_to_json,
        render as render,
        sample_published as sample_published,
        sample_tumour as sample_tumour,
        synthesise as synthesise,
    )
    from .stage_two import (
        DEFAULT_MIX as DEFAULT_MIX,
        PUBLISHED_MIX as PUBLISHED_MIX,
        MixParams as MixParams,
        MixRanges as MixRanges,
        mix as mix,
        sample_mix as sample_mix,
    )

# isort: on
_NAMES = {
    "brain": ("Brain",),
    "priors": ("Priors", "load_priors", "packaged_lesions"),
    "seeds": ("stream",),
    "purpose": ("Purpose",),
    "stage_one": (
        "Sample",
        "Sampler",
        "synthesise",
        "sample_tumour",
        "sample_published",
        "render",
        "params_to_json",
        "params_from_json",
    ),
    "hosts": ("split_hosts", "samples_plan"),
    "stage_two": ("MixRanges", "DEFAULT_MIX", "PUBLISHED_MIX", "MixParams", "sample_mix", "mix"),
    "pairs": ("Pair", "plan_pairs"),
    "pseudo_labels": ("Criteria", "PseudoLabel", "assess", "select"),
    "borders": ("Evidence", "refine_borders"),
    "healthy_half": ("HealthyHalf", "mirror_healthy_half"),
    "fabrication": ("fabrication",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted(_HOMES)


def __dir__() -> list[str]:
    return __all__


if not TYPE_CHECKING:  # where types are checked, the imports above are all there is

    def __getattr__(name: str) -> Any:
        return public(__name__, _HOMES, name)
