"""Stage 1: put synthetic tumours into tumour-free brains.

:func:`synthesise` draws parameters and renders them; :func:`render` replays recorded parameters
exactly. How parameters are drawn is up to a sampler: :func:`sample_tumour`, ours, or
:func:`sample_published`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .brain import Brain
from .lesion import TumourParams, sample_tumour
from .priors import Priors
from .published import PublishedParams, render_published, sample_published
from .purpose import Purpose
from .tumour import render_tumour

__all__ = [
    "Params",
    "Sample",
    "Sampler",
    "params_from_json",
    "params_to_json",
    "render",
    "sample_published",
    "sample_tumour",
    "synthesise",
]

Params = PublishedParams | TumourParams
_KINDS = {kind.preset: kind for kind in (TumourParams, PublishedParams)}


class Sampler(Protocol):
    """Draws the parameters of one synthetic scan."""

    def __call__(
        self, rng: np.random.Generator, host: Brain, priors: Priors, purpose: Purpose
    ) -> Params:
        """See :func:`.lesion.sample_tumour`."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One synthetic scan.

    Attributes
    ----------
    image
        float32, (X, Y, Z), the host's intensity scale.
    label
        uint8, (X, Y, Z), 1 in the whole tumour.
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
    rng: np.random.Generator,
    host: Brain,
    priors: Priors,
    *,
    purpose: Purpose = Purpose.TRAIN,
    sampler: Sampler = sample_tumour,
) -> Sample:
    """Make one synthetic scan.

    Parameters
    ----------
    rng
        Any generator; :func:`.seeds.stream` gives reproducible ones.
    host
        A tumour-free brain.
    priors
        What tumours look like.
    purpose
        For training, or for the validation set under another intensity model.
    sampler
        How parameters are drawn.

    Returns
    -------
    Sample

    Raises
    ------
    ValueError
        If the brain mask is empty or the purpose unknown.
    """
    params = sampler(rng, host, priors, purpose)
    return Sample(*render(host, params), params)


def render(host: Brain, params: Params) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Put the tumour that `params` describes into a scan: same bytes at every call.

    Parameters
    ----------
    host
        The brain that the parameters were drawn for.
    params
        From a sampler, or from :func:`params_from_json`.

    Returns
    -------
    image : ndarray of float32
        (X, Y, Z), a copy; the host is left as it is.
    label : ndarray of uint8
        (X, Y, Z), 1 in the tumour.
    """
    if isinstance(params, PublishedParams):
        return render_published(host, params)
    return render_tumour(host, params)


def params_to_json(params: Params) -> dict[str, Any]:
    """Turn parameters into nested dicts, lists and numbers."""
    return asdict(params)


def params_from_json(data: Mapping[str, Any]) -> Params:
    """Turn what :func:`params_to_json` gave, possibly through a JSON file, into parameters.

    Raises
    ------
    ValueError
        If they are of no sampler that is known here.
    """
    kind = _KINDS.get(data.get("preset", ""))
    if kind is None:
        raise ValueError(
            f"Parameters name their sampler under 'preset', one of {', '.join(_KINDS)}; found "
            f"{data.get('preset')!r}."
        )
    return kind.from_json(data)
