"""Stage 1: put synthetic tumours into tumour-free brains.

``synthesise`` draws parameters and renders them; ``render`` replays recorded parameters exactly.
Arrays share one grid; lengths are mm from the array's first voxel along its axes, so orientation
never enters: image and label always agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .appearance import Appearance
from .boxes import Spacing
from .hosts import samples_plan, split_hosts
from .lesion import Lesion, TumourParams, sample_tumour
from .priors import Priors
from .published import PublishedParams, render_published, sample_published
from .shape import Surface
from .tumour import render_tumour

__all__ = [
    "Params",
    "Sample",
    "params_from_json",
    "params_to_json",
    "render",
    "sample",
    "samples_plan",
    "split_hosts",
    "synthesise",
]

Params = PublishedParams | TumourParams
PRESETS = ("default", "reference")
PURPOSES = ("train", "shifted")


@dataclass(frozen=True, eq=False)
class Sample:
    """One synthetic scan.

    Attributes
    ----------
    image
        float32, (X, Y, Z), the host's intensity scale.
    label
        uint8, 1 in the whole tumour.
    params
        What :func:`render` needs to make it again.
    """

    image: NDArray[np.float32]
    label: NDArray[np.uint8]
    params: Params

    def to_json(self) -> dict[str, Any]:
        """Return the parameters as JSON-able values."""
        return params_to_json(self.params)


def synthesise(
    image: NDArray[Any],
    brain: NDArray[Any],
    spacing: Spacing,
    priors: Priors,
    rng: np.random.Generator,
    *,
    preset: str = "default",
    purpose: str = "train",
    placement: NDArray[Any] | None = None,
    white_matter: NDArray[Any] | None = None,
) -> Sample:
    """Make one synthetic scan.

    Parameters
    ----------
    image
        Skull-stripped tumour-free scan, (X, Y, Z), any scale, zero outside the brain.
    brain
        Brain mask, bool, same grid.
    spacing
        Voxel size along the array's axes, mm.
    priors
        What the default preset draws from; the reference preset has its own, published numbers.
    rng
        See :func:`seeds.stream`.
    preset
        ``"default"`` or ``"reference"``.
    purpose
        ``"train"``, or ``"shifted"`` for the validation set under another intensity model.
    placement
        Non-negative weights of where tumours may be centred (default preset only).
    white_matter
        Probability of white matter, in [0, 1], on the same grid, which lesions follow (default
        preset only); without it they spread alike in all tissue.

    Returns
    -------
    Sample

    Raises
    ------
    ValueError
        If arrays do not fit together, the mask is empty, or a name is unknown.
    """
    params = sample(
        image, brain, spacing, priors, rng, preset=preset, purpose=purpose, placement=placement
    )
    return Sample(*render(image, brain, spacing, params, white_matter), params)


def sample(
    image: NDArray[Any],
    brain: NDArray[Any],
    spacing: Spacing,
    priors: Priors,
    rng: np.random.Generator,
    *,
    preset: str = "default",
    purpose: str = "train",
    placement: NDArray[Any] | None = None,
) -> Params:
    """Draw the parameters of one synthetic scan; arguments as for :func:`synthesise`."""
    if preset not in PRESETS or purpose not in PURPOSES:
        raise ValueError(
            f"Preset '{preset}' must be one of {PRESETS}, purpose '{purpose}' one of {PURPOSES}."
        )
    brain = _checked(image, brain, spacing)
    if preset == "reference":
        return sample_published(rng, brain, spacing, purpose)
    return sample_tumour(rng, image, brain, spacing, priors, purpose, placement)


def render(
    image: NDArray[Any],
    brain: NDArray[Any],
    spacing: Spacing,
    params: Params,
    white_matter: NDArray[Any] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Put the tumour that `params` describes into a scan: same bytes at every call.

    Returns
    -------
    image : ndarray of float32
        A copy; the input is left as it is.
    label : ndarray of uint8
        1 in the tumour.
    """
    brain = _checked(image, brain, spacing)
    if isinstance(params, PublishedParams):
        return render_published(image, brain, spacing, params)
    return render_tumour(image, brain, spacing, params, white_matter)


def params_to_json(params: Params) -> dict[str, Any]:
    """Turn parameters into nested dicts, lists and numbers."""
    return asdict(params)


def params_from_json(data: Mapping[str, Any]) -> Params:
    """Turn what :func:`params_to_json` gave, possibly through a JSON file, into parameters."""
    if data["preset"] == "reference":
        return PublishedParams(
            purpose=data["purpose"],
            whole=_surface(data["whole"]),
            gain=data["gain"],
            core=_surface(data["core"]) if data["core"] else None,
            core_gain=data["core_gain"],
        )
    lesions = tuple(
        Lesion(
            **{
                **lesion,
                "surfaces": tuple(_surface(s) for s in lesion["surfaces"]),
                "core": _surface(lesion["core"]) if lesion["core"] else None,
                "look": Appearance(**lesion["look"]),
            }
        )
        for lesion in data["lesions"]
    )
    return TumourParams(purpose=data["purpose"], lesions=lesions, csf=data["csf"])


def _surface(data: Mapping[str, Any]) -> Surface:
    fields: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list | tuple) else v for k, v in data.items()
    }
    return Surface(**fields)


def _checked(image: NDArray[Any], brain: NDArray[Any], spacing: Spacing) -> NDArray[Any]:
    if image.ndim != 3 or image.shape != brain.shape:
        raise ValueError(
            f"Image and brain mask must be 3-D on one grid; got {image.shape} and {brain.shape}."
        )
    if min(spacing) <= 0:
        raise ValueError(f"Voxel sizes must be above 0 mm; got {spacing}.")
    return brain if brain.dtype == bool else brain > 0
