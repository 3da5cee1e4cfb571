"""What nnU-Net's plans say of a network, as checked numbers; every name in them is one of ours.

nnU-Net imports classes and functions by the names that plans give. So nothing of a file reaches
it: plans are read into a :class:`NetworkPlan`, and what nnU-Net gets is written from that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from synthtumour_bids.segmentation.checked_values import (
    Triple,
    items,
    number,
    object_of,
    short,
    triple,
    triples,
    truth,
    whole,
    wholes,
)
from synthtumour_bids.segmentation.plans import CONFIGURATION, PLANS_NAME

# nnU-Net's names of the architectures, and what each calls the numbers of its convolutions.
ARCHITECTURES = {
    "dynamic_network_architectures.architectures.unet.PlainConvUNet": "n_conv_per_stage",
    "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet": "n_blocks_per_stage",
}
_RESAMPLING = "resample_data_or_seg_to_shape"

# Bounds: far beyond what nnU-Net plans, and near enough that none of it harms a machine.
MOST_STAGES = 8
MOST_FEATURES = 512
MOST_CONVOLUTIONS = 8  # of one stage
LONGEST_EDGE, MOST_VOXELS = 512, 256**3  # of a patch
MOST_CONTRASTS = 8
MOST_LABELS = 255
SPACING_MM = (0.25, 10.0)
NORM_EPS = (1e-8, 1e-2)
LONGEST_NAME = 1000  # characters, of a label


@dataclass(frozen=True)
class NetworkPlan:
    """A U-Net and the images that it takes. All triples are along Z, Y, X, as nnU-Net's arrays.

    Attributes
    ----------
    architecture
        A key of `ARCHITECTURES`.
    spacing
        Voxel size of the grid, mm.
    patch_size
        Window that it was trained with, voxels; every edge can be halved as the strides ask.
    features, kernel_sizes, strides, convolutions
        Of each resolution stage, the finest first.
    decoder_convolutions
        Of each stage but the coarsest.
    bias
        Whether convolutions have one.
    norm_eps
        What instance norms add to the variance.
    contrasts
        Images of one case.
    labels
        Names of the tumour classes 1, 2, ...
    """

    architecture: str
    spacing: tuple[float, float, float]
    patch_size: Triple
    features: tuple[int, ...]
    kernel_sizes: tuple[Triple, ...]
    strides: tuple[Triple, ...]
    convolutions: tuple[int, ...]
    decoder_convolutions: tuple[int, ...]
    bias: bool
    norm_eps: float
    contrasts: int
    labels: tuple[str, ...]

    @classmethod
    def from_nnunet(cls, plans: Mapping[str, Any], description: Mapping[str, Any]) -> NetworkPlan:
        """Read nnU-Net's ``plans.json`` and ``dataset.json``.

        Parameters
        ----------
        plans, description
            Their content; nothing of it is trusted.

        Raises
        ------
        ValueError
            Saying in one clause what is missing, beyond its bounds, or other than this app plans.
        """
        configuration = object_of(object_of(plans, "configurations"), CONFIGURATION)
        drawn = object_of(configuration, "architecture")
        name = drawn.get("network_class_name")
        if not isinstance(name, str) or name not in ARCHITECTURES:
            raise ValueError(f"the architecture {short(name)} is none that this version knows")
        kwargs = object_of(drawn, "arch_kwargs")
        n = whole(kwargs.get("n_stages"), "n_stages", 2, MOST_STAGES)
        convolutions = ARCHITECTURES[name]
        plan = cls(
            architecture=name,
            spacing=_spacing(configuration.get("spacing")),
            patch_size=triple(configuration.get("patch_size"), "patch_size", 1, LONGEST_EDGE),
            features=wholes(kwargs, "features_per_stage", n, MOST_FEATURES),
            kernel_sizes=triples(kwargs, "kernel_sizes", n, (1, 3)),
            strides=triples(kwargs, "strides", n, (1, 2)),
            convolutions=wholes(kwargs, convolutions, n, MOST_CONVOLUTIONS),
            decoder_convolutions=wholes(
                kwargs, "n_conv_per_stage_decoder", n - 1, MOST_CONVOLUTIONS
            ),
            bias=truth(kwargs.get("conv_bias"), "conv_bias"),
            norm_eps=number(object_of(kwargs, "norm_op_kwargs").get("eps"), "eps", *NORM_EPS),
            contrasts=_numbered(object_of(description, "channel_names")),
            labels=_labels(object_of(description, "labels")),
        )
        plan._check_patch()
        _check_names(plans, plan.to_plans())
        if "regions_class_order" in description:
            raise ValueError("dataset.json asks for regions, which this app does not train")
        return plan

    def _check_patch(self) -> None:
        if max(self.strides[0]) > 1:
            raise ValueError("the finest stage has strides")
        if math.prod(self.patch_size) > MOST_VOXELS:
            raise ValueError(f"patch_size has more than {MOST_VOXELS} voxels")
        steps = [math.prod(along) for along in zip(*self.strides, strict=True)]
        if any(edge % step for edge, step in zip(self.patch_size, steps, strict=True)):
            raise ValueError("patch_size cannot be halved as often as the strides ask")

    def to_plans(self) -> dict[str, Any]:
        """Write ``plans.json``: what prediction reads of it."""
        smooth = {"is_seg": False, "order_z": 0, "force_separate_z": None}
        return {
            "dataset_name": "Dataset000_network",
            "plans_name": PLANS_NAME,
            "original_median_spacing_after_transp": list(self.spacing),
            "original_median_shape_after_transp": list(self.patch_size),
            "image_reader_writer": "NibabelIO",
            "transpose_forward": [0, 1, 2],
            "transpose_backward": [0, 1, 2],
            "experiment_planner_used": "ExperimentPlanner",
            "label_manager": "LabelManager",
            # Only CT images are scaled by these.
            "foreground_intensity_properties_per_channel": {
                str(contrast): {} for contrast in range(self.contrasts)
            },
            "configurations": {
                CONFIGURATION: {
                    "data_identifier": f"{PLANS_NAME}_{CONFIGURATION}",
                    "preprocessor_name": "DefaultPreprocessor",
                    "batch_size": 1,
                    "batch_dice": False,
                    "patch_size": list(self.patch_size),
                    "median_image_size_in_voxels": list(self.patch_size),
                    "spacing": list(self.spacing),
                    "normalization_schemes": ["ZScoreNormalization"] * self.contrasts,
                    "use_mask_for_norm": [True] * self.contrasts,
                    "resampling_fn_data": _RESAMPLING,
                    "resampling_fn_data_kwargs": {**smooth, "order": 3},
                    "resampling_fn_seg": _RESAMPLING,
                    "resampling_fn_seg_kwargs": {**smooth, "is_seg": True, "order": 1},
                    "resampling_fn_probabilities": _RESAMPLING,
                    "resampling_fn_probabilities_kwargs": {**smooth, "order": 1},
                    "architecture": self._architecture(),
                }
            },
        }

    def _architecture(self) -> dict[str, Any]:
        return {
            "network_class_name": self.architecture,
            "arch_kwargs": {
                "n_stages": len(self.features),
                "features_per_stage": list(self.features),
                "conv_op": "torch.nn.modules.conv.Conv3d",
                "kernel_sizes": [list(one) for one in self.kernel_sizes],
                "strides": [list(one) for one in self.strides],
                ARCHITECTURES[self.architecture]: list(self.convolutions),
                "n_conv_per_stage_decoder": list(self.decoder_convolutions),
                "conv_bias": self.bias,
                "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                "norm_op_kwargs": {"eps": self.norm_eps, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        }

    def to_description(self) -> dict[str, Any]:
        """Write ``dataset.json``."""
        return {
            "channel_names": {str(contrast): "MRI" for contrast in range(self.contrasts)},
            "labels": {"background": 0, **{name: k for k, name in enumerate(self.labels, 1)}},
            "numTraining": 0,
            "file_ending": ".nii.gz",
            "overwrite_image_reader_writer": "NibabelIO",
        }


# What training alone reads, or nobody.
_FREE = {
    *("dataset_name", "plans_name", "original_median_spacing_after_transp"),
    *("original_median_shape_after_transp", "experiment_planner_used"),
    *("foreground_intensity_properties_per_channel", "data_identifier", "batch_size"),
    *("batch_dice", "median_image_size_in_voxels"),
}


def _check_names(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse plans whose names and switches are other than those that we write."""
    for key, value in wanted.items():
        if key in _FREE:
            continue
        found = given.get(key)
        if isinstance(value, dict) and isinstance(found, dict):
            _check_names(found, value)
        elif found != value:
            raise ValueError(f"{key} is {short(found)}, where this app has {short(value)}")


def _spacing(value: object) -> tuple[float, float, float]:
    z, y, x = (number(one, "spacing", *SPACING_MM) for one in items(value, "spacing", 3))
    return z, y, x


def _numbered(names: Mapping[str, Any]) -> int:
    """Count channels, which must be numbered from 0 and be no CT, which is scaled otherwise."""
    if not 1 <= len(names) <= MOST_CONTRASTS or set(names) != set(map(str, range(len(names)))):
        raise ValueError(f"channel_names are not numbered from 0 to at most {MOST_CONTRASTS - 1}")
    if any(name != "MRI" for name in names.values()):
        raise ValueError("channel_names are other than MRI")
    return len(names)


def _labels(labels: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the classes, which must be numbered from 1, with the background before them."""
    names = list(labels)
    if names[:1] != ["background"] or not 2 <= len(names) <= MOST_LABELS + 1:
        raise ValueError(f"labels are not a background and 1 to {MOST_LABELS} classes")
    if [type(one) for one in labels.values()] != [int] * len(names) or list(
        labels.values()
    ) != list(range(len(names))):
        raise ValueError("labels are not numbered 0, 1, 2, ...")
    if any(len(name) > LONGEST_NAME for name in names) or "ignore" in names:
        raise ValueError("labels have a name that this app does not give")
    return tuple(names[1:])


def mirror_axes(value: object) -> tuple[int, ...]:
    """Check the axes that a prediction may be mirrored along: some of Z, Y, X (0, 1, 2), each once.

    Raises
    ------
    ValueError
        When they are other than that.
    """
    if not isinstance(value, list) or len(value) > 3 or len(set(map(repr, value))) < len(value):
        raise ValueError(f"MirrorAxes is {short(value)}, not a list of different axes")
    return tuple(whole(axis, "MirrorAxes", 0, 2) for axis in value)
