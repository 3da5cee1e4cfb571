"""What we change in the plans that nnU-Net makes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from synthtumour_bids.errors import UsageError
from synthtumour_bids.profiles import Training

PLANS_NAME = "nnUNetPlans"
CONFIGURATION = "3d_fullres"

MIN_EDGE = 4  # voxels that the coarsest feature map keeps along each axis, as in nnU-Net
FIRST_FEATURES, MAX_FEATURES = 32, 320  # nnU-Net's


def adapt_plans(plans: dict[str, Any], training: Training, contrasts: int = 1) -> dict[str, Any]:
    """Keep the full-resolution plan, normalise inside the brain, apply the settings.

    Parameters
    ----------
    plans
        nnU-Net's plans; left as they are.
    training
        ``patch_size`` is given as (X, Y, Z), as images are; nnU-Net's arrays are (Z, Y, X).
    contrasts
        Images of one case.

    Raises
    ------
    UsageError
        The patch cannot be halved as often as there are resolution stages.
    """
    adapted = copy.deepcopy(plans)
    configuration = adapted["configurations"][CONFIGURATION]
    adapted["configurations"] = {CONFIGURATION: configuration}
    for key in ("next_stage", "previous_stage"):
        configuration.pop(key, None)
    # nnU-Net would z-score over the whole crop, background included, if the brain filled more
    # than 3/4 of the grid; the background of a stripped brain carries no intensity.
    configuration["normalization_schemes"] = ["ZScoreNormalization"] * contrasts
    configuration["use_mask_for_norm"] = [True] * contrasts
    if training.batch_size is not None:
        configuration["batch_size"] = training.batch_size
    if training.patch_size is None and training.features is None:
        return adapted
    if training.patch_size is not None:
        configuration["patch_size"] = list(training.patch_size[::-1])
    architecture = configuration["architecture"]["arch_kwargs"]
    architecture.update(_stages(configuration["patch_size"], training.features))
    return adapted


def _stages(patch: Sequence[int], features: Sequence[int] | None) -> dict[str, Any]:
    """Describe a U-Net whose stages halve the patch along every axis that stays long enough.

    Networks of given `features` are made for short trainings on CPUs: one convolution instead of
    two at full resolution, where most of the time of a step goes.
    """
    edge = list(patch)
    strides = [[1] * len(edge)]
    while features is None or len(strides) < len(features):
        step = [2 if e % 2 == 0 and e // 2 >= MIN_EDGE else 1 for e in edge]
        if max(step) == 1:
            break
        strides.append(step)
        edge = [e // s for e, s in zip(edge, step, strict=True)]
    n = len(strides)
    if features is None:
        features = [min(FIRST_FEATURES * 2**i, MAX_FEATURES) for i in range(n)]
        finest = 2
    else:
        finest = 1
    if len(features) > n or n < 2:
        x, y, z = patch[::-1]
        raise UsageError(
            f"A network of {len(features)} resolution stages was asked for, but a patch of "
            f"{x} x {y} x {z} voxels can be halved only {n - 1} times. Choose a patch whose sides "
            "can be halved more often, or fewer features."
        )
    return {
        "n_stages": n,
        "features_per_stage": list(features),
        "kernel_sizes": [[3, 3, 3]] * n,
        "strides": strides,
        "n_conv_per_stage": [finest] + [2] * (n - 1),
        "n_conv_per_stage_decoder": [2] * (n - 2) + [finest],
    }
