"""A trained network: the tumour probabilities of one brain, seen at once or through windows."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from itertools import combinations
from pathlib import Path
from typing import cast

import numpy as np
import torch
from acvl_utils.cropping_and_padding.padding import pad_nd_image
from nnunetv2.inference.export_prediction import (
    convert_predicted_logits_to_segmentation_with_correct_shape,
)
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.execution.resources import memory_limit_gb
from synthtumour_bids.segmentation.cpu import faster_on_cpu
from synthtumour_bids.segmentation.environment import quiet, resolve_device
from synthtumour_bids.segmentation.plans import CONFIGURATION
from synthtumour_bids.segmentation.trained_network import read_network
from synthtumour_bids.segmentation.windows import slid

LOGGER = logging.getLogger(__name__)

BYTES_A_VALUE = 26.0  # that a pass needs for each voxel and feature of the finest stage; measured
LEAST_SPREAD = 1e-3  # of logits over an image; those of brain and air differ by several
OTHER_NETWORK = "Train it again (--retrain), or name another (--model)."
MEMORY_SHARE = 0.7  # of what the process may have, for one pass


def check_answer(logits: torch.Tensor) -> None:
    """Tell a network that answers from one that does not, which would leave an empty mask.

    Parameters
    ----------
    logits
        (K, Z, Y, X), of all classes, the background included.

    Raises
    ------
    UnusableScanError
        Where they are not all finite, or each class has the same everywhere.
    """
    if not bool(torch.isfinite(logits).all()):
        raise UnusableScanError(
            "The network answers with other things than numbers (NaN or infinity): its weights "
            f"do not bear this image. {OTHER_NETWORK}"
        )
    spread = logits.amax(dim=(1, 2, 3)) - logits.amin(dim=(1, 2, 3))
    if float(spread.max()) < LEAST_SPREAD:
        raise UnusableScanError(
            "The network answers the same everywhere in this image: it has learned nothing, or "
            f"its weights are damaged. {OTHER_NETWORK}"
        )


class Network:
    """A trained network, loaded once.

    Parameters
    ----------
    model_dir
        What `training.train` made, or a bundle.
    device, mirroring
        As for `iter_predict`.

    Raises
    ------
    UnavailableError
        The network or the device is not there, or cannot be used.
    """

    def __init__(self, model_dir: Path, *, device: str, mirroring: bool) -> None:
        self.device = resolve_device(device)
        trained = read_network(model_dir)
        self.plan = trained.plan
        self._mirror_axes = trained.mirror_axes if mirroring else ()
        self._description = trained.plan.to_description()
        with quiet():
            self._plans = PlansManager(trained.plan.to_plans())
            network = trained.build()
            if self.device.type == "cpu":
                faster_on_cpu(network)
        # The network itself: logits of (N, C, Z, Y, X).
        self.bare: torch.nn.Module = network.to(self.device).eval()

    def probabilities(
        self, images: NDArray[np.float32], spacing: tuple[float, float, float]
    ) -> NDArray[np.float32]:
        """Probability of each tumour class in [0, 1], 0 outside the brain.

        Parameters
        ----------
        images
            (C, X, Y, Z), 0 outside the brain.
        spacing
            Voxel size along X, Y, Z, mm.

        Returns
        -------
        float32 array, (K, X, Y, Z).

        Raises
        ------
        UnusableScanError
            When the network was trained on another number of contrasts, or its answer is none;
            see `check_answer`.
        """
        if len(images) != self.plan.contrasts:
            raise UnusableScanError(
                f"The network was trained on {self.plan.contrasts} contrast(s) of each scan, but "
                f"{len(images)} are there."
            )
        brain = ndimage.binary_fill_holes((images != 0).any(axis=0))
        # nnU-Net's readers give (channel, Z, Y, X).
        properties = {"spacing": [float(s) for s in spacing[::-1]]}
        with quiet(), torch.inference_mode():
            configuration = self._plans.get_configuration(CONFIGURATION)
            preprocessor = configuration.preprocessor_class(verbose=False)
            data, _, properties = preprocessor.run_case_npy(
                images.transpose(0, 3, 2, 1),
                None,
                properties,
                self._plans,
                configuration,
                self._description,
            )
            logits = self._logits(torch.from_numpy(data))
            check_answer(logits)
            _, probabilities = convert_predicted_logits_to_segmentation_with_correct_shape(
                logits.cpu().float(),
                self._plans,
                configuration,
                self._plans.get_label_manager(self._description),
                properties,
                return_probabilities=True,
                num_threads_torch=torch.get_num_threads(),
            )
        classes = np.clip(probabilities[1:].transpose(0, 3, 2, 1), 0, 1).astype(np.float32)
        return np.where(brain, classes, np.float32(0))

    def _logits(self, data: torch.Tensor) -> torch.Tensor:
        """See the whole brain at once; through windows of the training's size only if it must be.

        Windows that cut through a large tumour show too little of what is around it. On the
        development cohort they cost .03 of Dice (``benchmarks/RESULTS.md``).
        """
        trained = list(self.plan.patch_size)
        whole = self.whole_window(tuple(data.shape[1:]))
        if self._fits(whole):
            try:
                return self.slide(data, whole)
            except torch.OutOfMemoryError:
                if whole == trained:
                    raise
        LOGGER.warning("%s cannot hold the whole brain at once; using windows.", self.device)
        return self.slide(data, trained)

    def _fits(self, window: list[int]) -> bool:
        """Whether memory will do: a GPU says so when it does not, but a CPU's process is killed."""
        if self.device.type != "cpu":
            return True
        needed = BYTES_A_VALUE * self.plan.features[0] * np.prod(window)
        return bool(needed < MEMORY_SHARE * memory_limit_gb() * 1e9)

    def whole_window(self, shape: tuple[int, ...]) -> list[int]:
        """Least window that holds an image, can be halved, and is no smaller than in training."""
        strides = np.prod(self.plan.strides, axis=0)
        return [
            max(int(-(-size // stride) * stride), trained)
            for size, stride, trained in zip(shape, strides, self.plan.patch_size, strict=True)
        ]

    def slide(self, data: torch.Tensor, window: list[int]) -> torch.Tensor:
        """See an image through a window, which nnU-Net slides where it does not hold all of it."""
        shape = data.shape[1:]
        if all(size <= edge for size, edge in zip(shape, window, strict=True)):
            return self._at_once(data, window)
        return slid(self.bare, data, self.plan, self._mirror_axes, self.device)

    def _at_once(self, data: torch.Tensor, window: list[int]) -> torch.Tensor:
        """Logits of an image padded to a window, as nnU-Net gives them: in half precision."""
        padded, inner = pad_nd_image(data, window, "constant", {"value": 0}, True, None)
        images = padded[None].to(self.device)
        axes = [axis + 2 for axis in self._mirror_axes]
        flips = [one for n in range(len(axes) + 1) for one in combinations(axes, n)]
        with torch.autocast("cuda") if self.device.type == "cuda" else nullcontext():
            logits = self.bare(images)
            for flip in flips[1:]:
                logits += torch.flip(self.bare(torch.flip(images, flip)), flip)
            logits /= len(flips)
        return cast(torch.Tensor, logits[0].half()[(slice(None), *inner[1:])])
