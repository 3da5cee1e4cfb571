"""How a moved lesion looks: intensity jitter, and matching to its new surroundings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_SHELL = 50  # voxels needed to compare surroundings
MOST_SHIFT = 1.0  # spreads of normal brain
MOST_GAIN = 1.3


@dataclass(frozen=True)
class Jitter:
    """Changes of brightness, on the common scale of :mod:`.scans`; one entry per contrast.

    Attributes
    ----------
    gamma
        Exponent on the lesion's values, brought to [0, 1] and back.
    contrast
        Factor on the lesion's difference from its surroundings.
    brightness
        Offset.
    bias, bias_scale_mm, bias_seed
        Standard deviation, feature size and seed of a smooth additive field.
    """

    gamma: tuple[float, ...]
    contrast: tuple[float, ...]
    brightness: tuple[float, ...]
    bias: float
    bias_scale_mm: float
    bias_seed: int


def jittered(
    values: NDArray[np.float32],
    normal: NDArray[np.float32],
    jitter: Jitter,
    fields: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Apply a jitter to the values of a lesion and its surroundings.

    Parameters
    ----------
    values
        Brightness on the common scale, (C, n).
    normal
        Brightness of the surroundings in each contrast, (C,).
    jitter
        What to do.
    fields
        Smooth fields of standard deviation 1, (C, n).

    Returns
    -------
    ndarray of float32
        (C, n).
    """
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    range_ = np.maximum(high - low, 1e-6)
    gamma, contrast, brightness = (
        np.array(v, np.float32)[:, None] for v in (jitter.gamma, jitter.contrast, jitter.brightness)
    )
    # The surroundings stay where they are: the power is corrected by what it does to them.
    centre = normal[:, None].astype(np.float32)
    unit = np.clip((centre - low) / range_, 0, 1)
    bent = range_ * (((values - low) / range_) ** gamma - unit**gamma)
    out = centre + contrast * bent + brightness + np.float32(jitter.bias) * fields
    return np.asarray(out, dtype=np.float32)


def matched(
    values: NDArray[np.float32],
    shell: NDArray[np.float32],
    host_shell: NDArray[np.float32],
    strength: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Match a lesion to its new place, by what surrounds it there and what surrounded it before.

    Median and quartiles of the shell around the lesion are brought to the host's in the same
    voxels, within limits: a shell that lies half in a ventricle must not turn a tumour dark.

    Parameters
    ----------
    values
        Lesion and surroundings, (C, n).
    shell, host_shell
        The lesion's own surroundings and the host's at the same place, (C, m).
    strength
        0 leaves the values as they are, 1 matches in full.

    Returns
    -------
    ndarray
        Matched values, (C, n).
    ndarray
        Brightness of the surroundings after it, (C,).
    """
    contrasts = len(values)
    if shell.shape[1] < MIN_SHELL:
        return values, np.zeros(contrasts, dtype=np.float32)
    low, centre, high = np.percentile(shell, (25, 50, 75), axis=1)
    host_low, host_centre, host_high = np.percentile(host_shell, (25, 50, 75), axis=1)
    gain = (host_high - host_low) / np.maximum(high - low, 1e-6)
    gain = np.clip(gain, 1 / MOST_GAIN, MOST_GAIN) ** strength
    shift = strength * np.clip(host_centre - centre, -MOST_SHIFT, MOST_SHIFT)
    target = centre + shift
    out = target[:, None] + gain[:, None] * (values - centre[:, None])
    return out.astype(np.float32), target.astype(np.float32)
