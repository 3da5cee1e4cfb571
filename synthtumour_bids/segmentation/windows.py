"""Images larger than the window that a network sees them through."""

from __future__ import annotations

from typing import cast

import torch

from synthtumour_bids.segmentation.network_plan import NetworkPlan
from synthtumour_bids.segmentation.plans import CONFIGURATION

TILE_STEP = 0.5  # of the patch, between neighbouring windows


def slid(
    network: torch.nn.Module,
    data: torch.Tensor,
    plan: NetworkPlan,
    mirror_axes: tuple[int, ...],
    device: torch.device,
) -> torch.Tensor:
    """Let nnU-Net slide the window that a network was trained with over an image.

    nnU-Net's predictor loads torch's compiler, which takes seconds that most runs do not need.

    Parameters
    ----------
    network
        Logits of (N, C, Z, Y, X); on the device already.
    data
        Image as preprocessed, (C, Z, Y, X).
    plan
        Of the network.
    mirror_axes
        Of the axes Z, Y, X (0, 1, 2) those to average mirrored images along.
    device
        Where the network is.

    Returns
    -------
    Logits, (K, Z, Y, X), in half precision.
    """
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    manager = PlansManager(plan.to_plans())
    predictor = nnUNetPredictor(
        tile_step_size=TILE_STEP,
        use_gaussian=True,
        use_mirroring=bool(mirror_axes),
        device=device,
        allow_tqdm=False,
    )
    predictor.manual_initialization(
        network,
        manager,
        manager.get_configuration(CONFIGURATION),
        None,
        plan.to_description(),
        "nnUNetTrainer",
        mirror_axes,
    )
    return cast(torch.Tensor, predictor.predict_sliding_window_return_logits(data))
