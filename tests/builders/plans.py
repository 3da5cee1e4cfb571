"""The smallest network that can be planned."""

from __future__ import annotations

from synthtumour_bids.segmentation.network_plan import ARCHITECTURES, NetworkPlan

PLAN = NetworkPlan(
    architecture=next(iter(ARCHITECTURES)),
    spacing=(4.0, 4.0, 4.0),
    patch_size=(16, 16, 16),
    features=(4, 8),
    kernel_sizes=((3, 3, 3),) * 2,
    strides=((1, 1, 1), (2, 2, 2)),
    convolutions=(1, 1),
    decoder_convolutions=(1,),
    bias=True,
    norm_eps=1e-5,
    contrasts=1,
    labels=("tumour",),
)
