"""A trained network: the tumour probabilities of one brain, seen at once or through windows."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.execution.resources import memory_limit_gb
from synthtumour_bids.segmentation.cpu import faster_on_cpu
from synthtumour_bids.segmentation.environment import quiet, resolve_device
from synthtumour_bids.segmentation.plans import CONFIGURATION
from synthtumour_bids.segmentation.trained_network import read_network

LOGGER = logging.getLogger(__name__)

TILE_STEP = 0.5  # of the patch, between neighbouring windows
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
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
        from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

        self.device = resolve_device(device)
        trained = read_network(model_dir)
        with quiet():
            manager = PlansManager(trained.plan.to_plans())
            network = trained.build()
            if self.device.type == "cpu":
                faster_on_cpu(network)
            self._predictor = nnUNetPredictor(
                tile_step_size=TILE_STEP,
                use_gaussian=True,
                use_mirroring=mirroring,
                device=self.device,
                allow_tqdm=False,
            )
            self._predictor.manual_initialization(
                network,
                manager,
                manager.get_configuration(CONFIGURATION),
                None,
                trained.plan.to_description(),
                "nnUNetTrainer",
                trained.mirror_axes,
            )

    @property
    def bare(self) -> torch.nn.Module:
        """The network itself: logits of (N, C, Z, Y, X)."""
        return cast(torch.nn.Module, self._predictor.network)

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
        from nnunetv2.inference.export_prediction import (
            convert_predicted_logits_to_segmentation_with_correct_shape,
        )

        predictor = self._predictor
        wanted = len(predictor.dataset_json["channel_names"])
        if len(images) != wanted:
            raise UnusableScanError(
                f"The network was trained on {wanted} contrast(s) of each scan, but "
                f"{len(images)} are there."
            )
        brain = ndimage.binary_fill_holes((images != 0).any(axis=0))
        # nnU-Net's readers give (channel, Z, Y, X).
        properties = {"spacing": [float(s) for s in spacing[::-1]]}
        with quiet(), torch.inference_mode():
            preprocessor = predictor.configuration_manager.preprocessor_class(verbose=False)
            data, _, properties = preprocessor.run_case_npy(
                images.transpose(0, 3, 2, 1),
                None,
                properties,
                predictor.plans_manager,
                predictor.configuration_manager,
                predictor.dataset_json,
            )
            logits = self._logits(torch.from_numpy(data))
            check_answer(logits)
            _, probabilities = convert_predicted_logits_to_segmentation_with_correct_shape(
                logits.cpu().float(),
                predictor.plans_manager,
                predictor.configuration_manager,
                predictor.label_manager,
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
        trained = list(self._predictor.configuration_manager.patch_size)
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
        arguments = self._predictor.configuration_manager.network_arch_init_kwargs
        needed = BYTES_A_VALUE * arguments["features_per_stage"][0] * np.prod(window)
        return bool(needed < MEMORY_SHARE * memory_limit_gb() * 1e9)

    def whole_window(self, shape: tuple[int, ...]) -> list[int]:
        """Least window that holds an image, can be halved, and is no smaller than in training."""
        configuration = self._predictor.configuration_manager
        strides = np.prod(configuration.network_arch_init_kwargs["strides"], axis=0)
        return [
            max(int(-(-size // stride) * stride), trained)
            for size, stride, trained in zip(shape, strides, configuration.patch_size, strict=True)
        ]

    def slide(self, data: torch.Tensor, window: list[int]) -> torch.Tensor:
        """Let nnU-Net slide a window; where there is but one, its voxels count alike."""
        configuration = self._predictor.configuration_manager.configuration
        trained = configuration["patch_size"]
        configuration["patch_size"] = window
        self._predictor.use_gaussian = any(
            size > edge for size, edge in zip(data.shape[1:], window, strict=True)
        )
        try:
            return cast(torch.Tensor, self._predictor.predict_sliding_window_return_logits(data))
        finally:
            configuration["patch_size"] = trained
