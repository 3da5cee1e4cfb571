"""A trained network as a folder holds it: its plan, its weights, the axes to mirror along.

This is the one door through which files become a network. Whatever they say, nothing is imported
by a name of theirs: the architecture comes from a closed list, its operators are fixed, and weights
must have the names, the shapes and the type that the plan asks for, and be finite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.segmentation.bundle import network_refusal, read_files, read_plan
from synthtumour_bids.segmentation.model_card import CHECKPOINT, WEIGHTS, is_bundle
from synthtumour_bids.segmentation.network_plan import ARCHITECTURES, NetworkPlan, mirror_axes
from synthtumour_bids.segmentation.plans import CONFIGURATION
from synthtumour_bids.tensors import check_finite, load_tensors

_CLASSES = dict(zip(ARCHITECTURES, (PlainConvUNet, ResidualEncoderUNet), strict=True))
STORED = torch.float16  # the type of a bundle's weights


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network before it is put to work.

    Attributes
    ----------
    plan
        Its architecture, and the images that it takes.
    weights
        float32, finite, by the names of the network's parameters.
    mirror_axes
        Of the arrays' axes Z, Y, X (0, 1, 2) those that a prediction may be mirrored along.
    """

    plan: NetworkPlan
    weights: Mapping[str, torch.Tensor]
    mirror_axes: tuple[int, ...]

    def build(self) -> nn.Module:
        """Make the network, on the CPU: logits of (N, C, Z, Y, X)."""
        network = build(self.plan)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.copy_(self.weights[name])
        return network


def build(plan: NetworkPlan) -> nn.Module:
    """Make a network of a plan, with random weights; on the device that torch is told of."""
    network: nn.Module = _CLASSES[plan.architecture](
        input_channels=plan.contrasts,
        n_stages=len(plan.features),
        features_per_stage=list(plan.features),
        conv_op=nn.Conv3d,
        kernel_sizes=[list(one) for one in plan.kernel_sizes],
        strides=[list(one) for one in plan.strides],
        num_classes=1 + len(plan.labels),
        n_conv_per_stage_decoder=list(plan.decoder_convolutions),
        conv_bias=plan.bias,
        norm_op=nn.InstanceNorm3d,
        norm_op_kwargs={"eps": plan.norm_eps, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=False,
        **{ARCHITECTURES[plan.architecture]: list(plan.convolutions)},
    )
    return network


def read_network(folder: Path) -> TrainedNetwork:
    """Read a network from a bundle, or from what `training.train` made.

    Raises
    ------
    UnavailableError
        When it is not there, or cannot be used.
    """
    return read_bundle(folder) if is_bundle(folder) else read_checkpoint(folder)


def read_bundle(folder: Path) -> TrainedNetwork:
    """Read a network from a bundle; see `bundle.check_bundle` for what is checked before.

    Raises
    ------
    UnavailableError
        When the bundle cannot be used.
    """
    files = read_files(folder)
    try:
        weights = _checked(files.plan, load(files.weights), STORED)
    except (ValueError, SafetensorError) as error:
        raise files.refusal(f"{WEIGHTS}: {error}") from error
    return TrainedNetwork(files.plan, weights, files.mirror_axes)


def read_checkpoint(folder: Path) -> TrainedNetwork:
    """Read a network from a folder as nnU-Net writes them, with tensors and plain values alone.

    Raises
    ------
    UnavailableError
        When it is not there, or cannot be used.
    """
    try:
        checkpoint = load_tensors(folder / CHECKPOINT)
        if (name := checkpoint["init_args"]["configuration"]) != CONFIGURATION:
            raise ValueError(f"the configuration is {name!r}, not {CONFIGURATION!r}")
        plan = read_plan(folder)
        axes = mirror_axes(list(checkpoint["inference_allowed_mirroring_axes"] or ()))
        weights = _checked(plan, checkpoint["network_weights"], torch.float32)
    except FileNotFoundError as error:
        raise UnavailableError(
            f"A trained network was looked for in {folder}, but {error.filename} is not "
            "there. Train one (--steps train) or name another (--model)."
        ) from error
    except (RuntimeError, LookupError, ValueError) as error:
        raise network_refusal(folder, str(error)) from error
    except (TypeError, AttributeError) as error:  # values of other kinds than nnU-Net writes
        raise network_refusal(folder, str(error)) from error
    return TrainedNetwork(plan, weights, axes)


def _checked(
    plan: NetworkPlan, found: Mapping[str, torch.Tensor], dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """Check weights against a plan, before any memory is taken for its network.

    Raises
    ------
    ValueError
        Naming the first tensor that is missing, unknown, of another shape or type, or not finite.
    """
    with torch.device("meta"):
        network = build(plan)
    wanted = {name: parameter.shape for name, parameter in network.named_parameters()}
    # nnU-Net's checkpoints have what is shared in a network under all of its names.
    known = set(network.state_dict())
    if unknown := sorted(set(found) - known):
        raise ValueError(f"there are tensors that the plan has no place for ({unknown[0]!r})")
    weights = {}
    for name, shape in wanted.items():
        if name not in found:
            raise ValueError(f"{name} is missing")
        tensor = found[name]
        if tensor.shape != shape:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}, not {tuple(shape)}")
        if tensor.dtype != dtype:
            raise ValueError(f"{name} is of type {tensor.dtype}, not {dtype}")
        check_finite(name, tensor)
        weights[name] = tensor.to(torch.float32)
    return weights
